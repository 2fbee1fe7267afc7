import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import { loadEvents } from '../../events/load.ts'
import { select } from '../../events/select.ts'
import { windowsWithin } from '../../events/when.ts'
import type { Degradation, Place, Point, Source } from '../../measurement/answers.ts'
import type { Verdict } from '../../measurement/verdict.ts'
import { levelOf } from '../../measurement/windows.ts'
import { buildPageIfStale, pageFolder } from '../../server/page/build.ts'

/** A stand-in for the server until the real one is on main: answers computed from a generated world. */
export type World = 'kenya' | 'simulated' | 'empty' | 'line-down' | 'old'

const HOUR = 3_600_000
const day = (text: string) => Date.parse(text)
const exams = [
  {
    days: ['mon', 'tue', 'wed', 'thu', 'fri'] as ('mon' | 'tue' | 'wed' | 'thu' | 'fri')[],
    from: '08:00',
    to: '11:00',
    tz: 'Africa/Nairobi',
  },
  {
    days: ['mon', 'tue', 'wed', 'thu', 'fri'] as ('mon' | 'tue' | 'wed' | 'thu' | 'fri')[],
    from: '14:00',
    to: '16:00',
    tz: 'Africa/Nairobi',
  },
]
const block = { from: day('2023-11-08'), to: day('2023-11-25') }
const kenya: [number, string, number][] = [
  [33771, 'Safaricom Limited', 0.6],
  [30844, 'Liquid Telecommunications Ltd', 0.3],
  [329014, 'Vilcom Networks Limited', 0.3],
  [37061, 'Safaricom Limited', 0.35],
  [12455, 'Jambonet Autonomous System', 0.25],
  [15399, 'Wananchi Group (Kenya) Limited', 0.12],
  [36926, 'Airtel Networks Kenya Limited', 0.07],
  [36866, 'Jamii Telecommunications Limited', 0.06],
  ...Array.from({ length: 14 }, (_, i): [number, string, number] => [328700 + i, `Small Provider ${i + 1}`, 0.02]),
]
const hash = (...parts: number[]) => {
  let x = 2166136261
  for (const part of parts) x = Math.imul(x ^ (part | 0), 16777619) ^ (x >>> 13)
  return ((x >>> 0) % 10_000) / 10_000
}
const apps = ['telegram', 'whatsapp', 'signal', 'messenger']
const NOW = Date.now()

function point(world: World, app: string, asn: number, at: number, length: number): Point | null {
  const seed = hash(asn, at / 60_000, app.length)
  const density =
    world === 'kenya' || world === 'old' ? (kenya.find(k => k[0] === asn)?.[2] ?? 0) * Math.min(length / HOUR, 20) : 1
  if (
    (world === 'kenya' || world === 'old') &&
    (app !== 'telegram' || at < day('2023-10-15') || at > day('2023-11-29'))
  )
    return null
  if (seed > density) return null
  if (world === 'simulated' && (at > NOW || at < NOW - 30 * 24 * HOUR)) return null
  let share = 1
  let verdict: Verdict = 'ok'
  const inBlock = at >= block.from && at < block.to
  if (world === 'kenya' || world === 'old') {
    if (asn === 12455 && inBlock) share = 0
    if (
      (asn === 33771 || asn === 37061) &&
      inBlock &&
      windowsWithin(exams, { from: at / 1000, to: at / 1000 + 1 }).length > 0
    )
      share = 0
  } else if (app === 'telegram') {
    if (at > NOW - 4 * 24 * HOUR) share = asn % 3 === 0 ? 0.4 : 0
    else if (at > NOW - 9 * 24 * HOUR) verdict = 'throttled'
  } else if (app === 'signal') share = 0
  else if (app === 'whatsapp' && asn % 5 === 0) verdict = 'slow'
  if (share === 0) verdict = 'blocked'
  else if (share < 1) verdict = 'partial'
  if (share === 1 && hash(asn, at, 3) < 0.03) share = 11 / 12
  const base = (verdict === 'throttled' ? 1.8 : 0.16) * (1 + (hash(asn, at) - 0.5) * 0.6)
  const agents = world === 'simulated' ? 3 + Math.round(seed * 20) : 1 + Math.round(seed * 3)
  return {
    at: new Date(at).toISOString(),
    reachability: share,
    low: Math.max(0, share - 0.3),
    high: Math.min(1, share + 0.3),
    agents,
    attempts: agents * 12,
    latency: share === 0 ? {} : { connect: base, tls_handshake: base * 2, http_round_trip: base * 3 },
    failures: share < 1 ? { generic_timeout_error: Math.round(agents * 12 * (1 - share)) } : {},
    verdict: world === 'line-down' ? 'network_down' : verdict,
    layer: share < 1 ? 'tcp' : null,
    mechanism: share < 1 ? 'drop' : null,
    state: verdict === 'ok' ? null : agents > 2 ? 'confirmed' : 'unconfirmed',
  }
}

const networksOf = (world: World): [number, string][] =>
  world === 'kenya' || world === 'old'
    ? kenya.map(([asn, name]) => [asn, name])
    : world === 'line-down'
      ? [[64512, 'Example Net']]
      : [
          [44244, 'Irancell'],
          [197207, 'Mobile Communication Company of Iran'],
          [58224, 'Iran Telecommunication Company'],
          [57218, 'Rightel'],
          [31549, 'Shatel'],
        ]
const countryOf = (world: World) => (world === 'simulated' ? 'IR' : 'KE')
const sourcesOf = (world: World): Source[] =>
  world === 'simulated'
    ? [{ origin: 'simulated', licence: 'Apache-2.0', attribution: 'Peyk’s simulation' }]
    : world === 'line-down'
      ? [{ origin: 'agent', licence: 'CC0-1.0', attribution: 'Peyk agents' }]
      : [{ origin: 'ooni', licence: 'CC BY-NC-SA 4.0', attribution: 'OONI, Open Observatory of Network Interference' }]

function wholeOf(points: Point[]): Point {
  const order: Verdict[] = ['insufficient', 'ok', 'slow', 'throttled', 'partial', 'blocked', 'network_down']
  const worst = [...points].sort((a, b) => order.indexOf(b.verdict) - order.indexOf(a.verdict))[0]!
  const networks: Record<string, number> = {}
  for (const one of points) networks[one.verdict] = (networks[one.verdict] ?? 0) + 1
  const shares = points.map(one => one.reachability!).sort((a, b) => a - b)
  const agents = points.reduce((sum, one) => sum + one.agents, 0)
  return { ...worst, reachability: shares[shares.length >> 1]!, agents, attempts: agents * 12, networks }
}

function reachability(world: World, at: number) {
  const places: Place[] = []
  const country = countryOf(world)
  if (world !== 'empty')
    for (const app of apps) {
      const own = networksOf(world).flatMap(([asn, network]) => {
        const found = Array.from({ length: 3 }, (_, i) =>
          point(world, app, asn, Math.floor(at / HOUR - i) * HOUR, HOUR),
        ).find(Boolean)
        return found ? [{ ...found, app, feature: 'text' as const, country, asn, network }] : []
      })
      places.push(...own)
      if (own.length > 0)
        places.push({ ...wholeOf(own.map(({ asn: _, network: __, ...rest }) => rest)), app, feature: 'text', country })
    }
  const newest =
    world === 'empty'
      ? null
      : world === 'kenya' || world === 'old'
        ? '2023-11-22T09:00:00Z'
        : new Date(NOW).toISOString()
  return {
    at: new Date(at).toISOString(),
    places,
    newest,
    countries: newest ? [{ country, newest }] : [],
    sources: world === 'empty' ? [] : sourcesOf(world),
  }
}

function series(world: World, query: URLSearchParams) {
  const length = (levelOf(query.get('step') ?? '1h') ?? 3600) * 1000
  const from = Date.parse(query.get('from')!)
  const to = Date.parse(query.get('to')!)
  const asked = query.get('asn')
  const points: Point[] = []
  for (let at = Math.floor(from / length) * length; at < to; at += length) {
    const own = networksOf(world).flatMap(([asn]) =>
      asked === null || Number(asked) === asn ? (point(world, query.get('app')!, asn, at, length) ?? []) : [],
    )
    if (own.length > 0) points.push(asked === null ? wholeOf(own) : own[0]!)
  }
  const networks = networksOf(world).map(([asn, network], i) => ({ asn, network, attempts: 1000 - i }))
  return {
    app: query.get('app'),
    feature: 'text',
    country: query.get('country'),
    step: query.get('step'),
    ...(asked === null ? { networks } : { asn: Number(asked) }),
    points,
    sources: sourcesOf(world),
  }
}

const common = {
  app: 'telegram',
  feature: 'text',
  country: 'KE',
  state: 'confirmed',
  verdict: 'blocked',
  control: 'other networks of the country',
  known: '2023-11-09T06:00:00Z',
  revision: 3,
} as const
const near = [{ id: 'ke-2023-11-08-telegram-exam-block', distance: 'P0D' }]
const degradations: Degradation[] = [
  {
    ...common,
    id: 'ke-jambonet',
    networks: [12455],
    layer: 'tcp',
    mechanism: 'drop',
    onset: '2023-11-08T05:00:00Z',
    end: '2023-11-24T15:00:00Z',
    recurring: null,
    share: 1,
    agents: 85,
    events: near,
    sentence: {
      en: 'Telegram: blocked on Jambonet (AS12455) from 8 to 24 November 2023; 0 of 6 data centres answer (TCP timeout); other networks in Kenya reach it outside exam hours.',
      fa: 'تلگرام: از ۱۷ آبان تا ۳ آذر ۱۴۰۲ روی جامبونت (AS12455) مسدود بود؛ هیچ‌یک از ۶ مرکز داده پاسخ نمی‌دهد.',
    },
  },
  {
    ...common,
    id: 'ke-safaricom',
    networks: [33771, 37061],
    layer: 'http',
    mechanism: 'protocol_filter',
    onset: '2023-11-08T05:00:00Z',
    end: '2023-11-24T13:00:00Z',
    recurring: exams,
    share: 1,
    agents: 210,
    events: near,
    sentence: {
      en: 'Telegram: blocked on Safaricom (AS33771, AS37061) on weekdays 08:00–11:00 and 14:00–16:00 Nairobi time, 8 to 24 November 2023.',
      fa: 'تلگرام: در ساعت‌های امتحان روزهای هفته روی سافاریکام مسدود بود.',
    },
  },
]

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}
// Stricter than helmet's default, which allows inline styles: what works here works there.
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

export async function standIn(world: World): Promise<{ url: string; server: Server }> {
  await buildPageIfStale()
  const events = loadEvents()
  const server = createServer((request, response) => {
    const url = new URL(request.url!, 'http://here')
    const query = url.searchParams
    const say = (body: unknown, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    const at = (name: string) => (query.get(name) ? Date.parse(query.get(name)!) : undefined)
    if (url.pathname === '/v1/reachability') return say(reachability(world, at('at') ?? NOW))
    if (url.pathname === '/v1/series') return say(series(world, query))
    if (url.pathname === '/v1/degradations')
      return say({ degradations: world === 'kenya' ? degradations : [], sources: sourcesOf(world) })
    if (url.pathname.startsWith('/v1/degradations/')) {
      const found = degradations.find(one => url.pathname.endsWith(`/${one.id}`))
      return found ? say({ degradation: found, revisions: [found] }) : say({ title: 'Not found', status: 404 }, 404)
    }
    if (url.pathname === '/v1/events')
      return say({
        events: select(events, {
          app: query.get('app') ?? undefined,
          country: query.get('country') ?? undefined,
          from: at('from')! / 1000,
          to: at('to')! / 1000,
        }),
      })
    const file = url.pathname === '/' || url.pathname.startsWith('/finding/') ? 'index.html' : url.pathname.slice(1)
    try {
      response.writeHead(200, {
        'content-type': types[extname(file)] ?? 'text/plain',
        'content-security-policy': policy,
      })
      response.end(readFileSync(join(pageFolder, file)))
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}
