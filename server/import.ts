import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PolicyEvent } from '../events/event.ts'
import { SettingsError } from '../measurement/settings.ts'
import { adminOf } from './agents-command.ts'
import { Analyst } from './analyst.ts'
import { importStore } from './backup.ts'
import { type Config, keysOf } from './config.ts'
import { Facts } from './facts.ts'
import { importSpools } from './import-spool.ts'
import { openLocate } from './locate/locate.ts'
import { withServer } from './meanwhile.ts'
import { importOoni, type Sink, type Tally } from './ooni/import.ts'
import { openStore, sinkOf } from './run.ts'
import { holder } from './store/lock.ts'

export const importUsage = `peyk import ooni FILE…                    read OONI files: raw measurements (.jsonl, .jsonl.gz) of telegram, whatsapp,
                                          signal, facebook_messenger, or observation rows (.csv, .csv.gz)
peyk import spool FILE…                   read what agents exported (\`peyk spool export FILE\`); again or twice changes nothing
peyk import store FOLDER                  what \`peyk export store\` wrote, into an empty store
Exit codes: 0 every line read, 1 some lines or files could not be read or were refused (named above), 2 wrong usage or a setting is wrong.
`

/** Faults printed in full; the rest are counted. */
const MOST_PRINTED = 100
const PLAIN_EVERY_MS = 5_000

/** `peyk import`: into the store of PEYK_DATA, or through the server that holds it. Gives the exit code. */
export const importCommand = async (
  args: readonly string[],
  config: Config,
  events: readonly PolicyEvent[],
): Promise<number> => {
  const [what, ...files] = args
  if (what === 'store' && files.length === 1) {
    return await importStore(files[0]!, config, text => void process.stdout.write(text))
  }
  if (what === 'spool' && files.length > 0) return await viaServer(files, config, events)
  if (what !== 'ooni' || files.length === 0) {
    const asked = what === '--help' || what === '-h'
    ;(asked ? process.stdout : process.stderr).write(importUsage)
    return asked ? 0 : 2
  }
  const began = Date.now()
  const { sink, close } = await openSink(config, events)
  try {
    const settle = () => {
      process.stderr.write('stored; now every window is judged, which takes longest\n')
      return sink.settle()
    }
    const tally = await importOoni(files, { insert: rows => sink.insert(rows), settle }, progress())
    report(tally, (Date.now() - began) / 1000)
    return tally.faults.length > 0 ? 1 : 0
  } finally {
    await close()
  }
}

/** Spools go the way of reports, so a server takes them. */
const viaServer = async (files: readonly string[], config: Config, events: readonly PolicyEvent[]): Promise<number> =>
  await withServer(config, events, async url => {
    const admin = adminOf(config, url)
    const code = await importSpools(files, admin)
    await admin('POST', '/v1/admin/settle', { type: 'application/json', text: '{}' })
    return code
  })

type Opened = { sink: Sink; close: () => Promise<void> }

const openSink = async (config: Config, events: readonly PolicyEvent[]): Promise<Opened> => {
  const found = holder(config.PEYK_DATA)
  if (found?.url) return { sink: remoteSink(found.url, config), close: async () => {} }
  const { store, close } = await openStore(config)
  const locate = await openLocate(config.PEYK_DATA, config.PEYK_ASN_DB)
  const analyst = new Analyst({
    ...{ store, events, facts: await Facts.open(store) },
    networkName: asn => locate.networkName(asn),
    leastAgents: config.PEYK_MIN_AGENTS,
    now: () => Date.now() / 1000,
  })
  // What an import that was killed has left is settled with this one.
  await analyst.start()
  return {
    sink: sinkOf(store, analyst),
    close: async () => {
      await analyst.stop()
      await close()
    },
  }
}

const remoteSink = (url: string, config: Config): Sink => {
  const token = readFileSync(join(keysOf(config), 'admin-token'), 'utf8').trim()
  const post = async (path: string, body: string, type: string): Promise<void> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': type }
    const response = await fetch(new URL(path, url), { method: 'POST', headers, body, redirect: 'error' })
    if (!response.ok) throw new SettingsError(`The server at ${url} refused ${path}: ${await response.text()}`)
  }
  process.stderr.write(`handing over to the server at ${url}\n`)
  return {
    insert: rows =>
      post('/v1/admin/measurements', rows.map(row => JSON.stringify(row)).join('\n'), 'application/x-ndjson'),
    settle: () => post('/v1/admin/settle', '{}', 'application/json'),
  }
}

/** A bar on a terminal, a plain line every few seconds otherwise. */
const progress = () => {
  let last = 0
  return (file: string, read: number, size: number, tally: Tally): void => {
    const now = Date.now()
    const terminal = process.stderr.isTTY
    if (now - last < (terminal ? 100 : PLAIN_EVERY_MS) && read < size) return
    last = now
    const share = size === 0 ? 1 : read / size
    // Rows of a CSV are brought together before the first report is complete.
    const so = tally.reports > 0 ? `, ${tally.reports} reports, ${tally.measurements} measurements so far` : ''
    const text = `${file}: ${Math.round(100 * share)}% read${so}`
    if (!terminal) process.stderr.write(`${text}\n`)
    else
      process.stderr.write(
        `\r\x1b[K[${'#'.repeat(Math.round(20 * share)).padEnd(20, '.')}] ${text}${read >= size ? '\n' : ''}`,
      )
  }
}

const report = ({ reports, measurements, skipped, unknown, faults }: Tally, seconds: number): void => {
  for (const { file, line, reason } of faults.slice(0, MOST_PRINTED)) {
    process.stderr.write(`${file}${line > 0 ? `:${line}` : ''}: ${reason}\n`)
  }
  if (faults.length > MOST_PRINTED) process.stderr.write(`and ${faults.length - MOST_PRINTED} more\n`)
  if (reports === 0 && skipped > 0)
    process.stderr.write(
      'nothing was taken: only the tests telegram, whatsapp, signal and facebook_messenger are read\n',
    )
  process.stdout.write(
    `${reports} reports, ${measurements} measurements, rolled up and judged in ${seconds.toFixed(1)} s; ` +
      `${unknown} endpoints not in the catalogue, ${skipped} of other tests, ${faults.length} unreadable\n`,
  )
}
