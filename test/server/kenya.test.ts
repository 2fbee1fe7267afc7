import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { strFromU8, unzipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { boards } from '../../dashboards/boards/boards.ts'
import type { Panel } from '../../dashboards/panel.ts'
import { settingsFrom } from '../../dashboards/render.ts'
import type { PolicyEvent } from '../../events/event.ts'
import { loadEvents } from '../../events/load.ts'
import type { Degradation, Degradations, Point, Reachability, Series } from '../../measurement/answers.ts'
import type { EventEffect } from '../../measurement/effect.ts'
import type { FindingAnswer } from '../../measurement/evidence.ts'
import { verdicts } from '../../measurement/verdict.ts'
import { readConfig } from '../../server/config.ts'
import { importCommand } from '../../server/import.ts'
import { runServer } from '../../server/run.ts'
import type { Server } from '../../server/server.ts'
import { answered, resolved } from '../dashboards/grafana.ts'
import { fixture, has, KENYA } from '../fixtures.ts'
import { prometheusPath, promtoolPath, run, startPrometheus } from '../servers/prometheus.ts'

/** Kenya, October and November 2023: Telegram in exam weeks, as OONI's volunteers measured it, answered by the API. */

const data = mkdtempSync(join(tmpdir(), 'peyk-kenya-'))
const config = readConfig({ PEYK_DATA: data, PEYK_PORT: '0', PEYK_METRICS_PORT: '0', PEYK_LOG: 'silent' })

/** Events that did nothing, or of which nothing can be said. */
const exams = loadEvents().find(({ id }) => id === 'ke-2023-11-08-telegram-exam-block')!
const instead = (id: string, change: Partial<PolicyEvent>): PolicyEvent => ({
  ...exams,
  id,
  // So that it stands beside nothing.
  confidence: 'rumor',
  ...change,
})
const days = (start: string, end: string) => ({ when: { start, end, tz: 'Africa/Nairobi' } })
const madeUp: readonly PolicyEvent[] = [
  instead('test-quiet-days', days('2023-10-28', '2023-10-31')),
  instead('test-other-networks', { where: { ...exams.where, asns: [30844, 329014] } }),
  instead('test-whole-country', { where: { ...exams.where, asns: [] } }),
  instead('test-whatsapp', { apps: ['whatsapp'] }),
  instead('test-no-apps', { apps: [] }),
  instead('test-unknown-app', { apps: ['rubika'], features: ['proxy'] }),
  instead('test-year-only', { when: { start: '2023', endState: 'unknown' } }),
  instead('test-month-only', { when: { start: '2023-11' } }),
  instead('test-end-unknown', { when: { start: '2023-11-08', end: null, endState: 'unknown', tz: 'Africa/Nairobi' } }),
  instead('test-still-open', { when: { start: '2023-11-08', endState: 'open' } }),
  instead('test-to-the-minute', { when: { start: '2023-11-13T11:00Z', end: '2023-11-13T12:00Z' } }),
  instead('test-future', { when: { start: '2999-01-01' } }),
  instead('test-before-data', { when: { start: '2023-10-15' } }),
]

describe.skipIf(!has(KENYA))(`Kenya 2023 (${KENYA} of PEYK_FIXTURES)`, () => {
  let server: Server
  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(new URL(path, server.url))
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }
  const series = (asn: number, from: string, to: string, step: string) =>
    get<Series>(`/v1/series?app=telegram&country=KE&asn=${asn}&from=${from}&to=${to}&step=${step}`)
  const findings = async (asn: number): Promise<Degradation[]> => {
    const { degradations } = await get<Degradations>('/v1/degradations?app=telegram&feature=text&country=KE')
    return degradations.filter(({ networks }) => networks.includes(asn))
  }
  /** Reachability pooled over points: answered of attempted is not told, so agents weigh. */
  const mean = (points: readonly Point[]): number => {
    const known = points.filter(({ reachability }) => reachability !== null)
    const agents = known.reduce((sum, point) => sum + point.agents, 0)
    return known.reduce((sum, { reachability, agents }) => sum + reachability! * agents, 0) / agents
  }

  beforeAll(async () => {
    // Imported without a server, then a day of it again: the second time changes nothing (checked below).
    expect(await importCommand(['ooni', fixture(KENYA)], config, loadEvents())).toBe(0)
    const [header, ...rows] = gunzipSync(readFileSync(fixture(KENYA)))
      .toString()
      .split('\n')
    const day = join(data, 'day.csv')
    await writeFile(day, [header, ...rows.filter(row => row.includes('2023-11-13')), ''].join('\n'))
    expect(await importCommand(['ooni', day], config, loadEvents())).toBe(0)
    server = await runServer(config, {
      events: [...loadEvents(), ...madeUp],
      catalogue: () => ({ bytes: new Uint8Array(), version: 1 }),
      version: 'test',
    })
  }, 600_000)
  afterAll(() => server?.close())

  test('every report is there once, whose data it is said', async () => {
    const { points, sources } = await get<Series>(
      '/v1/series?app=telegram&country=KE&from=2023-10-15&to=2023-11-30&step=1d',
    )
    expect(points.reduce((sum, { agents }) => sum + agents, 0)).toBe(2_344)
    expect(sources).toEqual([expect.objectContaining({ origin: 'ooni', licence: 'CC BY-NC-SA 4.0' })])
  })

  test('AS12455 is blocked at TCP without a break, from 9 November to between 24 and 26 November', async () => {
    expect(await findings(12455)).toEqual([
      expect.objectContaining({
        networks: [12455],
        verdict: 'blocked',
        layer: 'tcp',
        mechanism: 'drop',
        state: 'confirmed',
        recurring: null,
        onset: expect.stringMatching(/^2023-11-09T/),
        end: expect.stringMatching(/^2023-11-2[456]T/),
        agents: 85,
        share: 1,
        control: 'other networks of the country',
        events: [{ id: 'ke-2023-11-08-telegram-exam-block', distance: 'P1D' }],
      }),
    ])
    const { points } = await series(12455, '2023-10-15', '2023-11-30', '1d')
    for (const { at, reachability, verdict, layer, high } of points) {
      const blocked = at >= '2023-11-09' && at < '2023-11-25'
      expect([at, verdict, layer], at).toEqual([at, blocked ? 'blocked' : 'ok', blocked ? 'tcp' : null])
      expect(reachability, at).toBe(blocked ? 0 : 1)
      if (at === '2023-11-09T00:00:00Z') expect(high).toBeCloseTo(0.66, 2)
    }
  })

  test.each([33771, 37061])('AS%i is blocked at HTTP in exam hours of weekdays, and works in others', async asn => {
    expect(await findings(asn)).toEqual([
      expect.objectContaining({
        verdict: 'blocked',
        layer: 'http',
        state: 'confirmed',
        recurring: ['07:00', '13:00'].map(from => ({
          days: ['mon', 'tue', 'wed', 'thu', 'fri'],
          from,
          to: from === '07:00' ? '11:00' : '17:00',
          tz: 'Africa/Nairobi',
        })),
        onset: expect.stringMatching(/^2023-11-08T/),
        end: expect.stringMatching(/^2023-11-24T/),
      }),
    ])
    const { points } = await series(asn, '2023-10-15', '2023-11-30', '1h')
    const weeks = points.filter(({ at }) => at >= '2023-11-13' && at < '2023-11-25')
    const exam = ({ at }: Point): boolean => {
      const hour = Number(at.slice(11, 13)) + 3
      return ((hour >= 7 && hour < 10) || (hour >= 13 && hour < 16)) && new Date(at).getUTCDay() % 6 !== 0
    }
    expect(mean(weeks.filter(exam))).toBeLessThan(0.15)
    expect(mean(weeks.filter(({ at }) => Number(at.slice(11, 13)) >= 15))).toBeGreaterThan(0.95)
    expect(mean(points.filter(({ at }) => at < '2023-11-08'))).toBeGreaterThan(0.95)
    expect(mean(points.filter(({ at }) => at >= '2023-11-26'))).toBeGreaterThan(0.95)
  })

  test('no finding on the other 22 networks, none before 8 or after 26 November', async () => {
    const { degradations } = await get<Degradations>('/v1/degradations?app=telegram&country=KE')
    const { points: _, networks } = await get<Series>(
      '/v1/series?app=telegram&country=KE&from=2023-10-15&to=2023-11-30',
    )
    expect(networks?.length).toBe(26)
    const named = new Set(degradations.flatMap(({ networks }) => networks))
    expect([...named].filter(asn => ![12455, 33771, 37061, 36926].includes(asn))).toEqual([])
    for (const { onset, end } of degradations) {
      expect(onset >= '2023-11-08').toBe(true)
      expect(end !== null && end < '2023-11-27').toBe(true)
    }
  })

  test('the sentence says it, in two languages', async () => {
    const [found] = await findings(12455)
    expect(found?.sentence.en).toBe(
      'Telegram: blocked on AS12455 in Kenya from 9 November 2023 to 24 November 2023; 0% of its endpoints answered (TCP gets no answer); other networks in Kenya reached it.',
    )
    expect(found?.sentence.fa).toContain('مسدود')
  })

  test('a time shows every place, a country counts its networks by verdict', async () => {
    const { places } = await get<Reachability>(
      '/v1/reachability?at=2023-11-13T08:50:00Z&country=KE&app=telegram&feature=text',
    )
    expect(places.find(({ asn }) => asn === 12455)).toMatchObject({ verdict: 'blocked', layer: 'tcp' })
    const country = places.find(({ asn }) => asn === undefined)
    expect(country?.networks).toMatchObject({ blocked: expect.any(Number) })
    const present = await get<Reachability>('/v1/reachability')
    expect(present).toMatchObject({ places: [], newest: expect.stringMatching(/^2023-11-(29|30)/) })
  })

  test('a 45-day hourly series answers under 300 ms', async () => {
    const times: number[] = []
    for (let i = 0; i < 5; i++) {
      const began = performance.now()
      await series(33771, '2023-10-15', '2023-11-29', '1h')
      times.push(performance.now() - began)
    }
    // The least of five: the machine's other work is not the server's.
    expect(Math.min(...times)).toBeLessThan(300)
  })

  test('public rows carry no agent, id, sequence, report or exact time', async () => {
    const response = await fetch(
      new URL('/v1/measurements?app=telegram&country=KE&from=2023-11-09&to=2023-11-10', server.url),
    )
    const rows = (await response.text())
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
    expect(rows.length).toBeGreaterThan(500)
    for (const row of rows) {
      expect(Object.keys(row)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/^(agent|id|sequence|at|source_report|prefix_token)$/)]),
      )
      expect(row['window']).toMatch(/T\d\d:\d[05]:00Z$/)
      expect(row['licence']).toBe('CC BY-NC-SA 4.0')
    }
  })

  test('a finding comes with all it rests on: the same bytes for the same revision, each file by its hash', async () => {
    const [{ id } = {}] = await findings(12455)
    const { evidence, revisions } = await get<FindingAnswer>(`/v1/degradations/${id}`)
    expect(evidence.series.flatMap(({ points }) => points).length).toBeGreaterThan(30)
    const fetched = async (path: string) => {
      const response = await fetch(new URL(path, server.url))
      return { type: response.headers.get('content-type'), bytes: new Uint8Array(await response.arrayBuffer()) }
    }
    const { type, bytes } = await fetched(evidence.bundle)
    expect(type).toBe('application/zip')
    expect(
      Buffer.compare(bytes, (await fetched(`/v1/degradations/${id}/bundle.zip?revision=${revisions.length}`)).bytes),
    ).toBe(0)
    const unpacked = unzipSync(bytes)
    const text = (name: string) => strFromU8(unpacked[name]!)
    const manifest = JSON.parse(text('manifest.json'))
    expect(manifest).toMatchObject({
      finding: id,
      revision: revisions.length,
      licences: [{ licence: 'CC BY-NC-SA 4.0' }],
    })
    expect(manifest.files.map(({ name }: { name: string }) => name).toSorted()).toEqual(
      Object.keys(unpacked)
        .filter(name => name !== 'manifest.json')
        .toSorted(),
    )
    for (const { name, sha256 } of manifest.files) {
      expect(createHash('sha256').update(unpacked[name]!).digest('hex')).toBe(sha256)
    }
    expect(text('CITATION.txt')).toContain('CC BY-NC-SA 4.0')
    expect(text('CITATION.txt')).toContain('مسدود')
    const rows = text('measurements.jsonl')
      .trimEnd()
      .split('\n')
      .map(row => JSON.parse(row))
    expect(new Set(rows.map(({ asn }) => asn))).toEqual(new Set([12455]))
    expect(rows.length).toBe(text('measurements.csv').trimEnd().split('\r\n').length - 1)
    expect(text('chart-en.svg')).toBe(strFromU8((await fetched(evidence.chart)).bytes))
    for (const path of [...evidence.queries.series, ...evidence.queries.measurements]) {
      expect((await fetch(new URL(path, server.url))).status, path).toBe(200)
    }
    const none = await fetch(new URL(`/v1/degradations/${id}/bundle.zip?revision=99`, server.url))
    expect(none.status).toBe(404)
  })

  const effect = (id: string) => get<EventEffect>(`/v1/events/${id}/effect`)

  test('reachability fell when the exams began, against the networks the event does not name', async () => {
    const found = await effect(exams.id)
    expect(found).toMatchObject({
      answer: 'untested',
      reason: 'too_early',
      control: { kind: 'networks' },
      words: 'follows',
      others: [],
      sources: [expect.objectContaining({ origin: 'ooni' })],
    })
    const [whole] = found.whole!.measures
    expect(whole).toMatchObject({ measure: 'reachability', expected: 'down', match: 'agrees', parallel: true, p: null })
    // Two of three hours lie outside of exams; AS12455 was cut off throughout.
    expect(whole!.change).toBeLessThan(-0.4)
    expect(whole!.high).toBeLessThan(-0.3)
    expect(whole!.controlAfter).toBeGreaterThan(0.98)
    expect(found.networks.find(({ asn }) => asn === 12455)?.whole).toBeLessThan(0.1)
    expect(found.sentence.en).toMatch(
      /^Within 17 days reachability of Telegram in Kenya went from 100% to 54%: −4\d points/,
    )
    expect(found.sentence.en).toMatch(
      /follows the event. Whether quiet times change as much was not tested: that takes 199 of them, and \d+ were measured/,
    )
    expect(found.sentence.fa).toContain('پس از رویداد')
    expect(`${found.sentence.en}${found.sentence.fa}`).not.toMatch(/because|caused|به دلیل|باعث/)
  })

  test('quiet days, and networks nobody touched, show nothing', async () => {
    expect(await effect('test-quiet-days')).toMatchObject({ answer: 'no_visible_effect', reason: null, words: null })
    // Compared with the networks that were hit these did well, which is not theirs.
    const { answer, whole, sentence } = await effect('test-other-networks')
    expect([answer, whole?.measures[0]?.reason]).toEqual(['no_visible_effect', 'controls_moved'])
    expect(sentence.en).toContain('it is these that changed')
  })

  test.each([
    ['test-whole-country', 'not_enough', 'no_control'],
    ['test-whatsapp', 'no_data', 'nothing_there'],
    ['test-no-apps', 'no_data', 'no_apps'],
    ['test-unknown-app', 'no_data', 'not_measured'],
    ['test-year-only', 'not_enough', 'start_vague'],
    ['test-month-only', 'not_enough', 'start_vague'],
    ['test-end-unknown', 'no_visible_effect', null],
    ['test-still-open', 'untested', 'too_early'],
    ['test-to-the-minute', 'not_enough', expect.stringMatching(/^(too_few|no_control)$/)],
    ['test-future', 'no_data', 'future'],
    ['test-before-data', 'not_enough', 'too_few'],
  ])('%s is answered: %s, %s', async (id, answer, reason) => {
    const found = await effect(id)
    expect(found).toMatchObject({ event: id, answer, reason })
    expect(found.sentence.en).toMatch(/^[A-Z].*\.$/)
    expect(JSON.stringify(found)).not.toMatch(/NaN|Infinity|undefined/)
  })

  test('every event of the country is answered, and no other', async () => {
    for (const { id } of loadEvents().filter(({ where }) => where.countries.includes('KE'))) {
      expect(['untested', 'no_data']).toContain((await effect(id)).answer)
    }
    expect((await fetch(new URL('/v1/events/no-such-event/effect', server.url))).status).toBe(404)
  })

  // The last: it takes the store from the server.
  test.skipIf(promtoolPath === null || prometheusPath === null)(
    'through Prometheus the board shows it at its own time (skipped where prometheus is not installed)',
    async () => {
      const { points } = await series(12455, '2023-11-09T12:00:00Z', '2023-11-10', '5m')
      await server.close()
      const text = spawnSync(
        process.execPath,
        [
          'peyk.ts',
          'export',
          'openmetrics',
          '2023-11-09T12:00:00Z',
          '2023-11-10',
          '--country',
          'KE',
          '--app',
          'telegram',
        ],
        { env: { ...process.env, PEYK_DATA: data }, encoding: 'utf8', maxBuffer: 64 << 20 },
      )
      expect(text.stderr + text.status).toMatch(/0$/)
      const file = join(data, 'kenya.om')
      await writeFile(file, text.stdout)
      run(promtoolPath!, ['tsdb', 'create-blocks-from', 'openmetrics', '--quiet', file, join(data, 'history', 'data')])
      await using history = await startPrometheus(join(data, 'history'))
      const board = boards({ ...settingsFrom({}), events: loadEvents() }).find(({ uid }) => uid === 'peyk-app')!
      const view = { from: Date.parse('2023-11-09T12:00:00Z') / 1000, to: Date.parse('2023-11-10') / 1000 }
      const values = await resolved(history.url, board, view, { app: 'telegram', country: 'KE', feature: 'text' })
      const panel = (board.panels as Panel[]).find(({ title }) => title === 'Verdict of each network')!
      const [state] = (await answered(history.url, panel.targets![0]!, values, view, 300)).filter(
        ({ metric }) => metric['asn'] === '12455',
      )
      const told = new Map(state!.values!.map(([at, rank]) => [at, verdicts[Number(rank)]]))
      const judged = points.filter(({ verdict }) => verdict !== 'insufficient')
      for (const { at, verdict } of judged) expect(told.get(Date.parse(at) / 1000 + 600), at).toBe(verdict)
      expect(judged.filter(({ verdict }) => verdict === 'blocked').length).toBeGreaterThan(5)
    },
    120_000,
  )
})
