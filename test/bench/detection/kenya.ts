import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadEvents } from '../../../events/load.ts'
import { readConfig } from '../../../server/config.ts'
import { currentDegradations } from '../../../server/findings.ts'
import { importCommand } from '../../../server/import.ts'
import { openEmbedded } from '../../../server/store/chdb.ts'
import { trialsOf } from '../../../server/trials.ts'
import { fixture, has, KENYA } from '../../fixtures.ts'

type Figure = Record<string, string | number>

/** Telegram was blocked there in exam weeks (README of the data): Kenya's midnight before the first day and after the last. */
const EXAMS = { from: Date.parse('2023-11-08T00:00+03:00') / 1_000, to: Date.parse('2023-11-25T00:00+03:00') / 1_000 }
const BLOCKED = [12455, 33771, 37061, 36926]

const hours = (seconds: number): number => Number((seconds / 3_600).toFixed(2))

/**
 * Findings of the Kenyan file against what its reports say: onset against the first report of the exam weeks in which
 * nothing answered, the end against the last one, in hours (later is positive). No parameter was fitted to it.
 */
export async function* kenya(): AsyncGenerator<Figure> {
  if (!has(KENYA)) {
    yield { figure: 'Kenya 2023', skipped: `no ${KENYA} in PEYK_FIXTURES` }
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'peyk-'))
  const config = readConfig({ PEYK_DATA: folder, PEYK_LOG: 'silent' })
  await importCommand(['ooni', fixture(KENYA)], config, loadEvents())
  const store = await openEmbedded(folder)
  try {
    const all = await currentDegradations(store, { country: 'KE', app: 'telegram' })
    const found = all.filter(({ feature }) => feature === 'text')
    const trials = await trialsOf(store, { country: 'KE', app: 'telegram', feature: 'text' })
    for (const asn of BLOCKED) {
      const failed = (trials.get(asn) ?? []).filter(
        ({ at, attempts, answered }) => at >= EXAMS.from && at < EXAMS.to && attempts > 0 && answered === 0,
      )
      for (const { verdict, layer, state, recurring, onset, end } of found.filter(of => of.networks.includes(asn))) {
        yield {
          ...{ figure: 'Kenya 2023', asn, verdict, layer: layer ?? 'none', state, windows: recurring?.length ?? 0 },
          ...{ failed_reports: failed.length, onset, end: end ?? 'none' },
          onset_error_hours: failed[0] ? hours(Date.parse(onset) / 1_000 - failed[0].at) : 'none',
          end_error_hours: failed.length > 0 && end ? hours(Date.parse(end) / 1_000 - failed.at(-1)!.at) : 'none',
        }
      }
    }
    const others = new Set(all.flatMap(({ networks }) => networks).filter(asn => !BLOCKED.includes(asn)))
    yield { figure: 'Kenya 2023', networks: trials.size, findings: all.length, others_found: others.size }
  } finally {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
