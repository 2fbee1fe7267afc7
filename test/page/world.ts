import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { loadEvents } from '../../events/load.ts'
import { allTargets, decides } from '../../measurement/catalogue.ts'
import { outcome, RULE_VERSION } from '../../measurement/judge/outcome.ts'
import type { Stored } from '../../measurement/measurement.ts'
import { deepest, type Step } from '../../measurement/step.ts'
import type { Target } from '../../measurement/target.ts'
import { type Config, readConfig } from '../../server/config.ts'
import { importCommand } from '../../server/import.ts'
import { buildPageIfStale, pageFolder } from '../../server/page/build.ts'
import { runServer } from '../../server/run.ts'
import type { Server } from '../../server/server.ts'

/** OONI's Kenya 2023, read where it lies and never copied. */
const kenyaFile = resolve(process.env['PEYK_FIXTURES'] || '../shared/data', 'ooni/2023-KE-telegram.csv.gz')
export const kenyaMissing = existsSync(kenyaFile) ? null : `no ${kenyaFile}; set PEYK_FIXTURES`

/** Networks of the simulated country, by what becomes of Telegram there. */
export const simulated: readonly { asn: number; name: string; telegram: 'blocked' | 'partial' | 'dead line' }[] = [
  { asn: 64501, name: 'North Mobile', telegram: 'blocked' },
  { asn: 64502, name: 'South Mobile', telegram: 'blocked' },
  { asn: 64503, name: 'City Fibre', telegram: 'blocked' },
  { asn: 64504, name: 'Harbour Net', telegram: 'partial' },
  { asn: 64505, name: 'Hill Net', telegram: 'dead line' },
]
const AGENTS = 3

/** The real server over the real store in a folder of its own; one a process. */
export class World {
  readonly #folder = mkdtempSync(join(tmpdir(), 'peyk-page-'))
  #server: Server | undefined
  #config: Config | undefined

  async start(): Promise<string> {
    await buildPageIfStale()
    const names = join(this.#folder, 'networks.csv')
    writeFileSync(names, simulated.map(({ asn, name }, i) => `192.0.2.${i},192.0.2.${i},${asn},${name}\n`).join(''))
    this.#config = readConfig({
      PEYK_DATA: this.#folder,
      PEYK_PORT: '0',
      PEYK_METRICS_PORT: '0',
      PEYK_ASN_DB: names,
      PEYK_LOG: 'error',
    })
    this.#server = await runServer(this.#config, {
      events: loadEvents(),
      catalogue: () => ({ bytes: Buffer.from('e30'), version: 1 }),
      page: pageFolder,
      version: '0.0.0',
    })
    return this.#server.url
  }

  /** An hour of measurements in a country with a simulated censor, up to the present. */
  async simulate(): Promise<void> {
    const now = Math.floor(Date.now() / 1_000)
    const rows = [0, 1_200, 2_400].flatMap(ago =>
      simulated.flatMap(({ asn, telegram }) =>
        Array.from({ length: AGENTS }, (_, agent) => rowsOf({ asn, telegram, agent, at: now - 60 - ago })).flat(),
      ),
    )
    const post = async (path: string, body: string, type: string) => {
      const token = readFileSync(join(this.#folder, 'admin-token'), 'utf8').trim()
      const headers = { authorization: `Bearer ${token}`, 'content-type': type }
      const answer = await fetch(new URL(path, this.#server!.url), { method: 'POST', headers, body })
      if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
    }
    await post('/v1/admin/measurements', rows.map(row => JSON.stringify(row)).join('\n'), 'application/x-ndjson')
    await post('/v1/admin/settle', '{}', 'application/json')
  }

  /** The three weeks around the exams: all of the file is test/server/kenya.test.ts's to import. */
  async importKenya(): Promise<void> {
    const lines = gunzipSync(readFileSync(kenyaFile)).toString().split('\n')
    // A line begins with its report, whose name begins with its day.
    const weeks = lines.filter((line, index) => index === 0 || (line >= '20231104' && line < '20231127'))
    const file = join(this.#folder, 'kenya.csv')
    writeFileSync(file, weeks.join('\n'))
    // The folder's lock tells the import which server to hand over to.
    const code = await importCommand(['ooni', file], this.#config!, loadEvents())
    if (code !== 0) throw new Error(`the import ended with ${code}`)
  }

  async stop(): Promise<void> {
    await this.#server?.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

type Measured = { asn: number; telegram: (typeof simulated)[number]['telegram']; agent: number; at: number }

function rowsOf({ asn, telegram, agent, at }: Measured): Stored[] {
  const asked = allTargets().filter(({ target }) => target.control || decides(target, 'agent'))
  return asked.map(({ app, target }, index) => {
    const fails =
      telegram === 'dead line' ||
      app === 'signal' ||
      (app === 'telegram' && target.feature === 'text' && (telegram === 'blocked' || index % 2 === 0))
    return row({ app, target, fails, asn, agent, at: at + index / 1_000 })
  })
}

type Asked = { app: string; target: Target; fails: boolean; asn: number; agent: number; at: number }

function row({ app, target, fails, asn, agent, at }: Asked): Stored {
  const { id, kind, family, feature } = target
  const operation = fails ? 'connect' : deepest[kind]
  const failure = fails ? 'generic_timeout_error' : null
  const steps: Step[] = [{ operation, start: 0, duration: fails ? 10 : 0.2, sent: 100, received: 200, failure }]
  return {
    ...{ id: randomUUID().replace(/^(.{14})./, '$17'), boot: '0'.repeat(16), mono: at % 1e6, sequence: 0 },
    ...{ app, feature, target: id, kind, family, route: 'direct', country: 'IR', asn, access: 'wifi', at, steps },
    failure: outcome(kind, steps).failure,
    served: { asn: 0, country: 'ZZ', rtt_floor: null, dc: null },
    origin_proof: 'none',
    marks: [],
    software: 'peyk-simulation/1.0',
    catalogue: 1,
    origin: 'simulated',
    agent: `simulated-${asn}-${agent}`,
    role: 'vantage',
    seen_country: 'IR',
    seen_asn: asn,
    trust: 'operator',
    arrived: at + 1,
    offset: 0,
    source: { report: '', licence: '' },
    prefix_token: 0,
    rule: RULE_VERSION,
  } as Stored
}
