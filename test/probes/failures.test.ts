import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getSystemErrorMap } from 'node:util'
import { Value } from 'typebox/value'
import { describe, expect, test } from 'vitest'
import { FailureName, failures, type KnownFailure } from '../../measurement/failure.ts'
import { classify } from '../../probes/net/classify.ts'
import { installed } from '../servers/debian.ts'
import { UNLUCKY } from '../servers/unlucky.ts'

/** Failures that no peer on loopback can provoke, but a machine in trouble of its own (`test/servers/unlucky.ts`). */
const unlucky: Readonly<Record<string, KnownFailure>> = {
  'no route': 'network_unreachable',
  'a blackhole route': 'network_unreachable',
  'a route of the kind unreachable': 'host_unreachable',
  'a route of the kind prohibit': 'permission_denied',
  'no address of the family': 'address_family_missing',
  'a resolver that is not there': 'dns_temporary_failure',
  'a connection that the system aborts': 'connection_aborted',
  'no descriptor left': 'agent_out_of_resources',
}

/** Failures that are provoked nowhere, and why not. */
const unprovoked: Readonly<Partial<Record<KnownFailure, string>>> = {
  dns_non_recoverable_failure:
    'glibc says EAI_AGAIN or ENOTFOUND of every ill answer that was tried; others say EAI_FAIL',
  android_dns_cache_no_data: 'Android’s resolver only; the name is for rows of OONI’s',
  connection_already_closed: 'would be our own mistake: probes use no stream after its end',
  network_down: 'Linux takes the routes of an interface that is down, and says that there is no route',
  network_reset: 'libuv has no name for ENETRESET; the name is for rows of OONI’s',
  network_changed: 'such a measurement is thrown away, not sent (test/agent/run.test.ts)',
  unknown_failure: 'whatever can be provoked gets a name; errors without one are made up below',
}

const canBeUnlucky = ((): boolean => {
  try {
    execFileSync('unshare', ['--map-root-user', '--net', '--mount', 'true'], { stdio: 'ignore' })
    return installed('ip') && installed('ss')
  } catch {
    return false
  }
})()

describe.skipIf(!canBeUnlucky)('a machine in trouble (skipped without namespaces, ip or ss)', () => {
  test('says so by the names of its own troubles', { timeout: 90_000 }, () => {
    const program = [process.execPath, join(import.meta.dirname, '../servers/unlucky.ts')]
    const resolv = join(mkdtempSync(join(tmpdir(), 'peyk-')), 'resolv.conf')
    const into = ['--map-root-user', '--net', '--mount', 'sh', '-c', UNLUCKY, 'sh', resolv, ...program]
    expect(JSON.parse(execFileSync('unshare', into, { encoding: 'utf8' }))).toEqual(unlucky)
  })
})

test('every failure is provoked by a peer in a test beside this one, by a machine in trouble, or says why it is not', () => {
  const files = readdirSync(import.meta.dirname).filter(
    file => join(import.meta.dirname, file) !== import.meta.filename,
  )
  const texts = [
    ...files.map(file => join(import.meta.dirname, file)),
    join(import.meta.dirname, '../probe-contract.ts'),
  ]
  const said = new Set(texts.flatMap(file => readFileSync(file, 'utf8').match(/\b[a-z0-9_]+\b/g) ?? []))
  for (const name of Object.keys(failures)) {
    const ways = [said.has(name), Object.values<string>(unlucky).includes(name), name in unprovoked]
    expect(ways.filter(Boolean), `${name}: by a peer, by the machine, by a reason`).toEqual([true])
  }
})

test('every errno Node can raise has a failure of the schema, and none its message', () => {
  const names = [...getSystemErrorMap().values()].map(([name]) => name)
  expect(names.length).toBeGreaterThan(80)
  const classified = names.map(code => {
    const error = Object.assign(new Error(`${code} 203.0.113.77`), { code, errno: -1, address: '203.0.113.77' })
    return [code, classify(error)] as const
  })
  for (const [code, failure] of classified) {
    expect([...Value.Errors(FailureName, failure)], `${code}: ${failure}`).toEqual([])
  }
  const named = Object.fromEntries(classified.filter(([, failure]) => !failure?.startsWith('unknown_failure')))
  expect(named).toMatchObject({
    EACCES: 'permission_denied',
    EADDRINUSE: 'agent_out_of_resources',
    EADDRNOTAVAIL: 'network_unreachable',
    EAFNOSUPPORT: 'address_family_missing',
    EAGAIN: 'agent_out_of_resources',
    EAI_ADDRFAMILY: 'dns_no_answer',
    EAI_AGAIN: 'dns_temporary_failure',
    EAI_CANCELED: 'interrupted',
    EAI_FAIL: 'dns_non_recoverable_failure',
    EAI_FAMILY: 'address_family_missing',
    EAI_MEMORY: 'agent_out_of_resources',
    EAI_NODATA: 'dns_no_answer',
    EAI_NONAME: 'dns_nxdomain_error',
    EBADF: 'connection_already_closed',
    ECANCELED: 'interrupted',
    ECONNABORTED: 'connection_aborted',
    ECONNREFUSED: 'connection_refused',
    ECONNRESET: 'connection_reset',
    EHOSTDOWN: 'host_unreachable',
    EHOSTUNREACH: 'host_unreachable',
    EINVAL: 'network_unreachable',
    EMFILE: 'agent_out_of_resources',
    ENETDOWN: 'network_down',
    ENETUNREACH: 'network_unreachable',
    ENFILE: 'agent_out_of_resources',
    ENOBUFS: 'agent_out_of_resources',
    ENODATA: 'dns_no_answer',
    ENOMEM: 'agent_out_of_resources',
    ENONET: 'network_down',
    ENOTCONN: 'connection_already_closed',
    EOF: 'eof_error',
    EPERM: 'permission_denied',
    EPIPE: 'connection_reset',
    EPROTO: 'ssl_failed_handshake',
    EPROTONOSUPPORT: 'address_family_missing',
    ESHUTDOWN: 'connection_already_closed',
    ESOCKTNOSUPPORT: 'address_family_missing',
    ETIMEDOUT: 'generic_timeout_error',
  })
})

test('codes that are no errno: those of TLS, HTTP and undici', () => {
  const of = (code: string) => classify(Object.assign(new Error('203.0.113.77'), { code }))
  expect(of('ERR_SSL_WRONG_VERSION_NUMBER')).toBe('ssl_failed_handshake')
  expect(of('UND_ERR_HEADERS_OVERFLOW')).toBe('http_too_large')
  expect(of('HPE_INVALID_CONSTANT')).toBe('http_request_failed')
  expect(of('ESOMETHING_NEW')).toBe('unknown_failure ESOMETHING_NEW')
  expect(of('something 203.0.113.77')).toBe('unknown_failure')
  expect(of('ECONNRESET')).toBe('eof_error')
})

test('a bug is no failure', () => {
  expect(classify(new TypeError('x is undefined'))).toBeNull()
  expect(classify(Object.assign(new TypeError('argument'), { code: 'ERR_INVALID_ARG_TYPE' }))).toBeNull()
  expect(classify(Object.assign(new Error('handler'), { code: 'UND_ERR_INVALID_ARG' }))).toBeNull()
  expect(classify('text')).toBeNull()
})
