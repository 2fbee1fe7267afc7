import type { Stored } from '../../measurement/measurement.ts'
import type { Step } from '../../measurement/step.ts'

const column = <T>(steps: readonly Step[], of: (step: Step) => T): T[] => steps.map(of)

/** Unix seconds as ClickHouse reads them, to the millisecond. */
export const sqlTime = (seconds: number): string =>
  new Date(Math.round(seconds * 1000)).toISOString().replace('T', ' ').slice(0, 23)

/** The row of `measurements_raw` for a measurement; null becomes the empty word, absent numbers 0, a mark not reached -1. */
export const toRow = ({ steps, served, source, failure, at, arrived, pair, ...plain }: Stored): object => ({
  ...plain,
  at: sqlTime(at),
  arrived: sqlTime(arrived),
  failure: failure ?? '',
  'steps.operation': column(steps, step => step.operation),
  'steps.start': column(steps, step => step.start),
  'steps.duration': column(steps, step => step.duration),
  'steps.sent': column(steps, step => step.sent),
  'steps.received': column(steps, step => step.received),
  'steps.failure': column(steps, step => step.failure ?? ''),
  'steps.code': column(steps, step => step.code ?? 0),
  'steps.hash': column(steps, step => step.hash ?? ''),
  'steps.mark': column(steps, step => step.mark ?? ''),
  'steps.count': column(steps, step => step.count ?? 0),
  'steps.series': column(steps, step => step.series ?? []),
  'steps.reached': column(steps, step => step.reached?.map(at => at ?? -1) ?? []),
  'steps.gap': column(steps, step => step.gap ?? 0),
  ...(pair && {
    pair: pair.id,
    pair_leg: pair.leg,
    pair_round: pair.round,
    pair_test: pair.test,
    pair_differs: pair.differs,
    pair_first: pair.first,
  }),
  served_asn: served.asn,
  served_country: served.country,
  served_rtt_floor: served.rtt_floor,
  served_dc: served.dc ?? '',
  source_report: source.report,
  source_licence: source.licence,
})
