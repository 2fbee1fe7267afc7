import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Stored } from '../../measurement/measurement.ts'
import { importOoni, type Tally } from '../../server/ooni/import.ts'
import { columns } from '../../server/ooni/rows.ts'
import { fixture, has } from '../fixtures.ts'

const folder = mkdtempSync(join(tmpdir(), 'peyk-ooni-'))
const write = (name: string, content: string | Uint8Array): string => {
  const file = join(folder, name)
  writeFileSync(file, content)
  return file
}

const read = async (...files: string[]): Promise<Tally & { rows: Stored[] }> => {
  const rows: Stored[] = []
  const sink = { insert: async (some: readonly Stored[]) => void rows.push(...some), settle: async () => {} }
  return { ...(await importOoni(files, sink, () => {})), rows }
}

/** A made-up report in OONI's raw format: one data centre that answers, one that does not. */
const report = (more: object = {}, keys: object = {}) => ({
  report_id: '20240101T000000Z_telegram_KE_33771_n1_AAAAAAAAAAAAAAAA',
  input: null,
  test_name: 'telegram',
  test_version: '0.3.0',
  probe_cc: 'KE',
  probe_asn: 'AS33771',
  measurement_start_time: '2024-01-01 00:00:01',
  annotations: { network_type: 'mobile' },
  test_keys: {
    queries: [{ hostname: 'web.telegram.org', failure: null, answers: [{ ipv4: '149.154.167.99' }] }],
    tcp_connect: [
      { ip: '149.154.175.50', port: 443, status: { failure: null, success: true }, t0: 0, t: 0.12 },
      { ip: '149.154.167.51', port: 443, status: { failure: 'generic_timeout_error', success: false } },
      { ip: '149.154.167.99', port: 443, status: { failure: null, success: true } },
    ],
    tls_handshakes: [{ address: '149.154.167.99:443', failure: 'connection_reset' }],
    requests: [
      { failure: null, request: { url: 'http://149.154.175.50:443/' }, response: { code: 501 } },
      { failure: 'generic_timeout_error', request: { url: 'http://149.154.167.51:443/' } },
      { failure: 'connection_reset', request: { url: 'https://web.telegram.org/' } },
    ],
    ...keys,
  },
  ...more,
})
const line = (more?: object, keys?: object) => JSON.stringify(report(more, keys))

type Cell = Partial<Record<(typeof columns)[number], string>>
/** The observation rows of a raw report, as OONI's pipeline writes them. */
const csvOf = (raw: ReturnType<typeof report>): string => {
  const common: Cell = {
    report_id: raw.report_id,
    input: raw.input ?? '',
    test_name: raw.test_name,
    test_version: raw.test_version,
    probe_cc: raw.probe_cc,
    probe_asn: raw.probe_asn.slice(2),
    network_type: String((raw.annotations as Record<string, unknown> | undefined)?.['network_type'] ?? ''),
    measurement_start_time: `${raw.measurement_start_time}+00:00`,
    tls_success: '0',
  }
  const keys = raw.test_keys as unknown as {
    queries: { hostname: string; failure: string | null; answers: { ipv4?: string; ipv6?: string }[] | null }[]
    tcp_connect: { ip: string; port: number; status: { failure?: string | null; success: boolean } }[]
    tls_handshakes: { address?: string; failure: string | null }[] | null
    requests: { failure: string | null; request: { url: string } }[]
  }
  const names = new Map<string, string>()
  const rows: Cell[] = []
  for (const { hostname, failure, answers } of keys.queries) {
    if (/^[\d.]+$|:/.test(hostname)) continue
    if (failure) rows.push({ ...common, hostname, dns_failure: failure })
    for (const { ipv4, ipv6 } of answers ?? []) {
      const ip = ipv4 ?? ipv6 ?? ''
      if (!names.has(ip)) names.set(ip, hostname)
      rows.push({ ...common, hostname, ip, dns_answer: ip })
    }
  }
  for (const { ip, port, status } of keys.tcp_connect) {
    const tls = keys.tls_handshakes?.find(({ address }) => address === `${ip}:${port}`)
    rows.push({
      ...common,
      hostname: names.get(ip) ?? '',
      ip,
      port: `${port}.0`,
      tcp_success: status.success ? '1.0' : '0.0',
      tcp_failure: status.failure ?? '',
      ...(tls ? { tls_failure: tls.failure ?? '', tls_handshake_time: tls.failure ? '' : '0.2' } : {}),
    })
  }
  for (const { failure, request } of keys.requests) {
    rows.push({
      ...common,
      hostname: new URL(request.url).hostname,
      http_request_url: request.url,
      http_failure: failure ?? '',
    })
  }
  return csv(rows)
}
const csv = (rows: readonly Cell[]): string =>
  `${['extra', ...columns].join(',')}\n${rows.map(row => ['x', ...columns.map(column => row[column] ?? '')].join(',')).join('\n')}\n`

describe('OONI’s reports', () => {
  test('an endpoint is one measurement, its steps joined; the first failing step tells the layer', async () => {
    const { rows, unknown } = await read(write('a.jsonl', line()))
    expect(unknown).toBe(0)
    expect(
      rows.map(({ target, failure, steps }) => [target, failure, ...steps.map(({ operation }) => operation)]),
    ).toEqual([
      ['telegram.dc1.v4.443.http', null, 'connect', 'http_round_trip'],
      ['telegram.dc2.v4.443.http', 'generic_timeout_error', 'connect', 'http_round_trip'],
      ['telegram.web.telegram.org', 'connection_reset', 'resolve', 'connect', 'tls_handshake', 'http_round_trip'],
    ])
    const [first] = rows
    expect(first).toMatchObject({
      origin: 'ooni',
      country: 'KE',
      asn: 33771,
      access: 'mobile',
      source: { licence: 'CC BY-NC-SA 4.0' },
    })
    expect(first!.steps[0]!.duration).toBeCloseTo(0.12)
    expect(first!.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    // Addresses go into the id's hash and nowhere else.
    expect(JSON.stringify(rows)).not.toMatch(/149\.154/)
  })

  test('rows in any order, doubled and spread, make the same measurements as the raw report', async () => {
    const raw = report()
    const text = csvOf(raw).trimEnd().split('\n')
    const shuffled = [text[0], ...text.slice(1).toReversed(), ...text.slice(1)].join('\n')
    const fromRows = await read(write('b.csv', shuffled))
    const fromRaw = await read(write('b.jsonl', JSON.stringify(raw)))
    const bare = (rows: readonly Stored[]) =>
      rows.map(({ id, target, failure }) => `${id} ${target} ${failure}`).toSorted()
    expect(bare(fromRows.rows)).toEqual(bare(fromRaw.rows))
  })

  test.each(['0.0.0.0', '10.10.34.35', '::', '127.0.0.1'])(
    'a name that resolves to %s is one bogon, whatever its TCP rows say',
    async bogon => {
      const answer = bogon.includes(':') ? { ipv6: bogon } : { ipv4: bogon }
      const keys = {
        queries: [{ hostname: 'web.telegram.org', failure: null, answers: [answer] }],
        tcp_connect: [{ ip: bogon, port: 443, status: { failure: null, success: true } }],
        requests: [{ failure: 'ssl_invalid_hostname', request: { url: 'https://web.telegram.org/' } }],
        tls_handshakes: [],
      }
      for (const file of [
        write('c.jsonl', line({}, keys)),
        write('c.csv', csvOf(report({}, keys) as ReturnType<typeof report>)),
      ]) {
        const { rows } = await read(file)
        expect(rows.map(({ target, failure }) => [target, failure])).toEqual([
          ['telegram.web.telegram.org', 'dns_bogon_error'],
        ])
      }
    },
  )

  test('plain and compressed files are read alike; tests of other apps are skipped', async () => {
    const text = `${line()}\n${line({ test_name: 'web_connectivity' })}\n`
    const plain = await read(write('d.jsonl', text))
    const packed = await read(write('d.jsonl.gz', gzipSync(text)))
    expect(packed.rows.map(({ id }) => id)).toEqual(plain.rows.map(({ id }) => id))
    expect(packed).toMatchObject({ reports: 1, skipped: 1, faults: [] })
  })
})

describe('what cannot be read', () => {
  test('errors in the first and the last line of two files are told exactly, the rest is kept', async () => {
    const good = (n: number) => line({ report_id: `20240101T00000${n}Z_telegram_KE_33771_n1_AAAAAAAAAAAAAAAA` })
    const first = write(
      'e.jsonl',
      ['{"test_name": "telegram", ', good(1), good(2), line({ probe_cc: 'Kenya' })].join('\n'),
    )
    const second = write('f.jsonl', [line({ probe_asn: 33771 }), good(3), '{"a": 1}'].join('\n'))
    const { faults, reports } = await read(first, second)
    expect(reports).toBe(3)
    expect(faults.map(({ file, line }) => [file, line])).toEqual([
      [first, 1],
      [first, 4],
      [second, 1],
      [second, 3],
    ])
    expect(faults[1]!.reason).toContain('/probe_cc')
    expect(faults[2]!.reason).toContain('/probe_asn')
    expect(faults[3]!.reason).toContain('test_name')
  })

  test('rows: a wrong column is named with its line, a short row too, a header that lacks columns stops the file', async () => {
    const text = csvOf(report()).trimEnd().split('\n')
    const wrong = text[1]!.replace(',KE,', ',Kenya,')
    const { faults, reports } = await read(write('g.csv', [text[0], wrong, ...text.slice(2), 'x,y'].join('\n')))
    expect(reports).toBe(1)
    expect(faults.map(({ line }) => line)).toEqual([2, text.length + 1])
    expect(faults[0]!.reason).toContain('probe_cc is “Kenya”')
    const headless = await read(write('h.csv', 'a,b\n1,2\n'))
    expect(headless.faults).toEqual([
      expect.objectContaining({ line: 0, reason: expect.stringContaining('line 1: the header lacks report_id') }),
    ])
  })

  test('a broken archive and a missing file are faults of their file; other files are read', async () => {
    const torn = gzipSync(`${line()}\n${'x'.repeat(1e6)}`).subarray(0, 600)
    const { faults, reports } = await read(
      write('i.jsonl.gz', torn),
      join(folder, 'none.jsonl'),
      write('j.jsonl', line()),
    )
    expect(faults.map(({ file }) => file)).toEqual([join(folder, 'i.jsonl.gz'), join(folder, 'none.jsonl')])
    expect(reports).toBeGreaterThanOrEqual(1)
  })
})

describe('real reports of PEYK_FIXTURES', () => {
  test.skipIf(!has('ooni/US_telegram.jsonl'))('a Telegram report as JSON and as rows gives the same ids', async () => {
    const raw = JSON.parse(readFileSync(fixture('ooni/US_telegram.jsonl'), 'utf8')) as ReturnType<typeof report>
    const fromRaw = await read(fixture('ooni/US_telegram.jsonl'))
    const fromRows = await read(write('us.csv', csvOf(raw)))
    expect(fromRaw.rows.length).toBe(13)
    expect(fromRaw.rows.every(({ failure }) => failure === null)).toBe(true)
    expect(fromRows.rows.map(({ id }) => id).toSorted()).toEqual(fromRaw.rows.map(({ id }) => id).toSorted())
  })

  test.skipIf(!has('ooni/JP_whatsapp.jsonl'))(
    'a WhatsApp report with a resolver that answers 0.0.0.0 is a bogon for every name',
    async () => {
      const { rows, faults } = await read(fixture('ooni/JP_whatsapp.jsonl'))
      expect(faults).toEqual([])
      expect(rows.length).toBe(18)
      expect(new Set(rows.map(({ failure }) => failure))).toEqual(new Set(['dns_bogon_error']))
      expect(new Set(rows.map(({ target }) => target)).size).toBe(18)
    },
  )
})
