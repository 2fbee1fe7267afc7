import type { ProbeKind } from '../step.ts'
import type { Target } from '../target.ts'

type Common = Omit<Target, 'kind' | 'ask' | 'id' | 'feature' | 'host' | 'port' | 'source' | 'healthy'>

/** What most targets have in common; a target spells out only what differs. */
export const ordinary: Common = {
  family: 'v4',
  address: 'public',
  decides: 'yes',
  experimental: false,
  risk: 'ordinary',
  // Reference endpoints.md §1.4 and the frame's issue: 180 s after anything a filter may react to, never under 60 s.
  spacing: 180,
  timeout: 20,
  confidence: 'source',
}

/** An HTTPS target: the commonest shape. */
export const https = (
  target: Pick<Target, 'id' | 'feature' | 'host' | 'source' | 'healthy'> & {
    path?: string
    port?: number
    method?: 'GET' | 'HEAD' | 'POST'
    headers?: Record<string, string>
    roots?: 'public' | 'signal' | 'public+signal'
    expect?: { status?: number[]; header?: string; body?: string; json?: string }
  } & Partial<Common>,
): Extract<Target, { kind: 'http' }> => {
  const { path = '/', port = 443, method = 'GET', headers = {}, roots = 'public', expect = {}, ...rest } = target
  return {
    ...ordinary,
    ...rest,
    port,
    kind: 'http' satisfies ProbeKind,
    ask: { scheme: 'https', method, path, headers, roots, expect: { ...expect, status: expect.status ?? [] } },
  }
}
