import type { PolicyEvent } from '../events/event.ts'
import { inForce, spanOf } from '../events/when.ts'
import { CONTROL } from '../measurement/catalogue.ts'
import type { Verdict } from '../measurement/verdict.ts'
import { VERDICT_LOOKBACK_SECONDS } from '../measurement/windows.ts'
import { publicSince } from './analysis/anonymity.ts'
import type { PresentState } from './exporter.ts'
import { currentDegradations } from './findings.ts'
import { onlyPublic } from './public-findings.ts'
import { presentSamples } from './samples.ts'
import type { Store } from './store/store.ts'

export type PresentParts = {
  /** Unix seconds. */
  now: () => number
  /** Seconds the oldest unsettled row has waited. */
  lag: () => number
  /** Whether rollups stand here because nobody pushes them. */
  rollups: boolean
}

/** The present, as Prometheus asks for it: newest verdicts, open degradations, agents, data centres, events in force. */
export const presentOf =
  (store: Store, events: readonly PolicyEvent[], { now, lag, rollups }: PresentParts): PresentState =>
  async () => {
    const at = Math.floor(now())
    const since = { since: at - VERDICT_LOOKBACK_SECONDS }
    const [verdict, degraded, centres, agents, newest, rolled] = await Promise.all([
      verdictsNow(store, since),
      degradedNow(store),
      centresNow(store, since),
      agentsNow(store, since),
      newestJudged(store),
      rollups ? rollupsNow(store, at) : {},
    ])
    return {
      peyk_verdict: verdict,
      ...degraded,
      peyk_datacentre_share_ratio: centres,
      peyk_agents_active: agents,
      peyk_rollup_lag_seconds: [{ labels: {}, value: lag() }],
      peyk_detector_lag_seconds: newest === 0 ? [] : [{ labels: {}, value: Math.max(0, at - newest) }],
      ...rolled,
      ...eventsNow(events, at),
    }
  }

type Since = { since: number }

/** Start of the newest window with a verdict; 0 where there is none yet. */
const newestJudged = async (store: Store): Promise<number> => {
  const [row] = await store.query<{ newest: number }>('SELECT toUnixTimestamp(max(at)) AS newest FROM verdicts')
  return row?.newest ?? 0
}

const rollupsNow = async (store: Store, at: number) => {
  const samples = await presentSamples(store, at)
  return Object.fromEntries(Map.groupBy(samples, ({ name }) => name))
}

const verdictsNow = async (store: Store, params: Since) => {
  const rows = await store.query<{
    app: string
    feature: string
    country: string
    asn: number
    verdict: Verdict
    agents: number
  }>(
    `SELECT app, feature, country, asn, argMax(verdict, at) AS verdict, argMax(agents, at) AS agents FROM
       (SELECT * FROM verdicts FINAL PREWHERE at >= fromUnixTimestamp({since:UInt32}) WHERE ${publicSince('{since:UInt32}')})
     GROUP BY app, feature, country, asn`,
    params,
  )
  return rows.map(({ app, feature, country, asn, verdict, agents }) => ({
    labels: { app, feature, country, asn: String(asn), verdict },
    value: 1,
    agents,
  }))
}

const degradedNow = async (store: Store) => {
  const open = await onlyPublic(store, await currentDegradations(store, { open: true }))
  const series = Map.groupBy(open, ({ id, incident, app, feature, country, verdict, layer, state }) =>
    JSON.stringify({ app, feature, country, verdict, layer: layer ?? 'none', state, incident: incident ?? id }),
  )
  const each = (value: (of: typeof open) => number) =>
    [...series].map(([labels, of]) => ({
      labels: JSON.parse(labels),
      value: value(of),
      agents: Math.max(...of.map(({ agents }) => agents)),
    }))
  return {
    peyk_degraded: each(() => 1),
    peyk_degraded_since_timestamp_seconds: each(of => Math.min(...of.map(({ onset }) => Date.parse(onset) / 1000))),
    peyk_degraded_networks: each(of => new Set(of.flatMap(({ networks }) => networks)).size),
    peyk_degraded_agents: each(of => of.reduce((sum, { agents }) => sum + agents, 0)),
  }
}

const centresNow = async (store: Store, params: Since) => {
  const rows = await store.query<{ app: string; dc: string; country: string; share: number; agents: number }>(
    `SELECT app, dc, country, avg(works) AS share, count() AS agents FROM (
       SELECT app, dc, country, agent, max(answered > 0) AS works FROM agent_windows FINAL
       PREWHERE at >= fromUnixTimestamp({since:UInt32}) WHERE dc != '' AND attempts > 0 GROUP BY app, dc, country, agent)
     GROUP BY app, dc, country`,
    params,
  )
  return rows.map(({ app, dc, country, share, agents }) => ({ labels: { app, dc, country }, value: share, agents }))
}

const agentsNow = async (store: Store, params: Since) => {
  const rows = await store.query<{ country: string; asn: number; agents: number }>(
    `SELECT country, asn, uniqExact(agent) AS agents FROM agent_windows FINAL
     PREWHERE at >= fromUnixTimestamp({since:UInt32}) WHERE ${publicSince('{since:UInt32}')} GROUP BY country, asn`,
    { ...params, control: CONTROL },
  )
  return rows.map(({ country, asn, agents }) => ({ labels: { country, asn: String(asn) }, value: agents, agents }))
}

const eventsNow = (events: readonly PolicyEvent[], at: number) => {
  const firm = events.filter(({ confidence }) => confidence !== 'rumor')
  const labelled = (list: readonly PolicyEvent[], value: (event: PolicyEvent) => number) =>
    list.flatMap(event =>
      (event.where.countries.length > 0 ? event.where.countries : ['ZZ']).flatMap(country =>
        (event.apps.length > 0 ? event.apps : ['*']).map(app => ({
          labels: { event: event.id, kind: event.kind, country, app },
          value: value(event),
        })),
      ),
    )
  return {
    peyk_policy_event_timestamp_seconds: labelled(firm.slice(-20), event => spanOf(event).start.from),
    peyk_policy_event_active: labelled(
      firm.filter(event => inForce(event, at) === 'yes'),
      () => 1,
    ),
  }
}
