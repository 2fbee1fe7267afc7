import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { allTargets } from '../../measurement/catalogue.ts'
import { rollupLevels } from '../../measurement/windows.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { migrate } from '../../server/store/schema.ts'
import type { Store } from '../../server/store/store.ts'
import { type Part, startPart } from '../server/part.ts'
import type { Bench } from './bench.ts'

/** Measurements at the largest size; the bench begins with a hundredth of it. Each is a row of agent_windows. */
const MOST = Number(process.env['PEYK_BENCH_ROWS'] || 50_000_000)
const DAYS = 30
const WINDOWS = DAYS * 288
/** An agent's tries in a window of 5 minutes. */
const TRIES = 12
const COUNTRIES = ['IR', 'RU', 'KE', 'TR', 'PK', 'IN', 'ET', 'VE', 'MM', 'BY']
/** Agents of one network. */
const TOGETHER = 10
const ASKED = 21

/** The most used; the rest would make more series of the same size. */
const APPS = ['telegram', 'whatsapp', 'signal', 'messenger', 'instagram']

const deciding = allTargets().filter(
  ({ app, target }) => APPS.includes(app) && target.decides === 'yes' && !target.countries && !target.experimental,
)
const series = [...new Set(deciding.map(({ app, target }) => `${app} ${target.feature}`))]

/** SQL for the place of an agent: networks are spread over the countries. */
const places = (agents: number) => Math.max(COUNTRIES.length, Math.ceil(agents / TOGETHER))
const country = (network: string) => `{countries:Array(String)}[1 + ${network} % ${COUNTRIES.length}]`

/** Agents of 30 days up to now: what they tried in a day, and what was made of it, repeated by the engine itself. */
const fill = async (store: Store, agents: number, end: number): Promise<number> => {
  const first = Math.floor(end / 86_400) * 86_400 - DAYS * 86_400
  await fillDay(store, agents, first)
  const at = 'at + toIntervalDay(day) AS at'
  for (const [table, moved] of Object.entries({
    agent_windows: `${at}, last + toIntervalDay(day) AS last`,
    verdicts: at,
    rollups: at,
  })) {
    for (let day = 1; day <= DAYS; day++) {
      await store.command(
        `INSERT INTO ${table} SELECT * REPLACE (${moved.replaceAll('day)', `${day})`)}) FROM (SELECT * FROM ${table}
         WHERE at >= fromUnixTimestamp(${first}) AND at < fromUnixTimestamp(${Math.min(first + 86_400, end - day * 86_400)})) SETTINGS optimize_on_insert = 0`,
      )
    }
  }
  // A server of this age has done with merging.
  while ((await store.query('SELECT 1 AS one FROM system.merges LIMIT 1')).length > 0) await wait(1_000)
  const [row] = await store.query<{ n: number }>('SELECT count() AS n FROM agent_windows')
  return row!.n
}

const fillDay = async (store: Store, agents: number, start: number): Promise<void> => {
  const params = {
    countries: COUNTRIES,
    apps: deciding.map(({ app }) => app),
    features: deciding.map(({ target }) => target.feature),
    targets: deciding.map(({ target }) => target.id),
    kinds: deciding.map(({ target }) => target.kind),
    series,
  }
  const networks = places(agents)
  await store.command(
    `INSERT INTO agent_windows (app, feature, country, asn, target, kind, dc, agent, at, origin, role, trust, attempts, answered,
       last, last_answered, last_failure, last_layer, failures, seconds, control_tried, control_answered, control_seconds, revision)
     SELECT {apps:Array(String)}[t], {features:Array(String)}[t], ${country('network')}, 64512 + network, {targets:Array(String)}[t], {kinds:Array(String)}[t], '',
       concat('agent', toString(agent)), fromUnixTimestamp(${start} + window * 300), 'agent', 'vantage', 'corroborated', 1, NOT failed,
       fromUnixTimestamp(${start} + window * 300 + 7), NOT failed, if(failed, 'generic_timeout_error', ''), if(failed, 'tcp', ''),
       if(failed, map('tcp/generic_timeout_error', 1), map()), if(failed, map(), map('connect', 0.1 + agent % 7 / 100, 'protocol_handshake', 0.2)),
       3, 3, map('connect', 0.1), 1
     FROM (SELECT number AS n, intDiv(n, ${TRIES}) % ${agents} AS agent, intDiv(n, ${TRIES * agents}) AS window, agent % ${networks} AS network,
       1 + (n * 7919 + intDiv(n, 31)) % ${deciding.length} AS t, (n * 2654435761) % 100 < 3 AS failed FROM numbers(${agents * 288 * TRIES}))`,
    params,
  )
  const all = networks + COUNTRIES.length
  for (const level of rollupLevels) {
    const count = 86_400 / level
    await store.command(
      `INSERT INTO rollups (level, app, feature, country, asn, at, origins, agents, attempts, answered, reachability, seconds, failures,
         verdict, layer, mechanism, state, networks, revision) SELECT ${level}, splitByChar(' ', s)[1], splitByChar(' ', s)[2], if(place < ${networks}, ${country('place')}, {countries:Array(String)}[1 + place - ${networks}]),
         if(place < ${networks}, 64512 + place, 0), fromUnixTimestamp(${start} + span * ${level}), ['agent'], ${TOGETHER}, 40, 39, 0.975, map('connect', 0.1, 'protocol_handshake', 0.2),
         map('generic_timeout_error', 1), 'ok', '', '', 'confirmed', if(place < ${networks}, map(), map('ok', 5)), 1
       FROM (SELECT number AS n, n % ${all} AS place, intDiv(n, ${all}) % ${count} AS span,
         {series:Array(String)}[1 + intDiv(n, ${all * count})] AS s FROM numbers(${all * count * series.length}))`,
      params,
    )
  }
  await store.command(
    `INSERT INTO verdicts (app, feature, country, asn, at, verdict, layer, mechanism, state, agents, rule, revision) SELECT app, feature, country, asn, at, verdict, layer, mechanism, state, agents, 1, 1 FROM rollups WHERE level = 300`,
  )
  await store.command(
    `INSERT INTO network_days (country, asn, day, agents, public, revision) SELECT ${country('number')}, 64512 + number, toDate(fromUnixTimestamp(${start})) + day, ${TOGETHER}, 1, 1 FROM numbers(${networks}) ARRAY JOIN range(${DAYS + 1}) AS day`,
    params,
  )
}

/** Milliseconds on the clock, and of the server's processors, which other work on this machine changes little. */
const timed = async (server: Part, name: string, work: () => Promise<unknown>): Promise<Record<string, number>> => {
  const took: number[] = []
  const worked = server.processor()
  for (let round = 0; round < ASKED; round++) {
    const from = performance.now()
    await work()
    took.push(performance.now() - from)
  }
  took.sort((a, b) => a - b)
  return {
    [`${name}_p50_ms`]: Math.round(took[Math.floor(ASKED / 2)]!),
    [`${name}_most_ms`]: Math.round(took.at(-1)!),
    [`${name}_processor_ms`]: Math.round(((server.processor() - worked) * 1000) / ASKED),
  }
}

/** What readers wait for, at a hundredth, a tenth and all of the rows: series, matrix, /metrics and how long it stalls the server. */
export const bench: Bench = async figure => {
  for (const part of [100, 10, 1]) {
    const folder = mkdtempSync(join(tmpdir(), 'peyk-bench-'))
    const agents = Math.max(1, Math.round(MOST / part / WINDOWS / TRIES))
    const end = Math.floor(Date.now() / 300_000) * 300
    const store = await openEmbedded(folder)
    await migrate(store)
    const begun = performance.now()
    const rows = await fill(store, agents, end)
    const [rolled] = await store.query<{ n: number }>('SELECT count() AS n FROM rollups')
    await store.close()
    const filled = Math.round((performance.now() - begun) / 1000)
    const server = await startPart({ PEYK_DATA: folder })
    try {
      const get = async (path: string) =>
        await (await fetch(`${server.url}${path}`, { headers: { 'cache-control': 'no-cache' } })).text()
      const range = `from=${new Date((end - DAYS * 86_400) * 1000).toISOString().slice(0, 19)}Z&to=${new Date(end * 1000).toISOString().slice(0, 19)}Z`
      const scrape = async () => await (await fetch(server.metricsUrl)).text()
      await Promise.all([get('/v1/reachability'), scrape()])
      figure({
        ...{ rows, agents, networks: places(agents), rollups: rolled!.n, fill_seconds: filled },
        ...(await timed(server, 'series', () => get(`/v1/series?app=telegram&country=IR&${range}`))),
        ...(await timed(server, 'network', () => get(`/v1/series?app=telegram&country=IR&asn=64512&step=1h&${range}`))),
        ...(await timed(server, 'matrix', () => get('/v1/reachability'))),
        // Read once, so that what stalled the loop before is forgotten.
        ...(await scrape().then(() => timed(server, 'metrics', scrape))),
        loop_stall_ms: Math.round(1000 * Number(/percentile="100"\} (\S+)/.exec(await scrape())?.[1])),
      })
    } finally {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
