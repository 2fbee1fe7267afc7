import type { TargetOf } from '../measurement/target.ts'
import { Failed } from './net/classify.ts'
import type { Answer } from './net/request.ts'
import type { Probe } from './probe.ts'

type Ask = TargetOf<'store'>['ask']

/** Longest answer read: a listing of Apple's is about 10 kB; of Google's page the status says it. */
const LIMIT = 131_072

/**
 * Whether a store lists an app in one storefront. What a store says does not depend on the network it is asked from, so
 * control agents ask; whether the store can be reached from here is another target, of kind `http`. Facts and sources:
 * reference endpoints.md §8.
 */
export const store: Probe<'store'> = async ({ host, port, ask }, net) => {
  const stream = await net.reach()
  if (!stream) return
  if (!(await net.handshake(stream, { sni: host, alpn: ['http/1.1'], roots: 'public', verify: host }))) return
  const question = { scheme: 'https', host, port, method: 'GET', path: pathOf(ask), headers: {}, limit: LIMIT } as const
  await net.request(stream, question, ask.store === 'apple' ? judgeApple : judgeGoogle)
}

const pathOf = ({ store: name, app, country }: Ask): string =>
  name === 'apple'
    ? `/lookup?id=${app}&country=${country.toLowerCase()}&entity=software`
    : `/store/apps/details?id=${app}&hl=en&gl=${country}`

/** 200 with `resultCount`; 400 with `errorMessage` naming `country` where there is no such storefront. */
export const judgeApple = ({ status, body }: Pick<Answer, 'status' | 'body'>): void => {
  const answer = parse(body)
  if (status === 400 && typeof answer?.['errorMessage'] === 'string' && answer['errorMessage'].includes('[country]')) {
    throw new Failed('store_no_storefront')
  }
  if (status !== 200) throw new Failed('http_unexpected_status_code')
  if (answer === null) throw new Failed('json_parse_error')
  const count = answer['resultCount']
  if (typeof count !== 'number') throw new Failed('http_answer_unexpected')
  if (count === 0) throw new Failed('store_not_listed')
}

/** 200 is a listing, 404 none; a redirect (consent) says neither. */
export const judgeGoogle = ({ status }: Pick<Answer, 'status'>): void => {
  if (status === 404) throw new Failed('store_not_listed')
  if (status !== 200) throw new Failed('http_unexpected_status_code')
}

const parse = (body: Buffer): Record<string, unknown> | null => {
  try {
    const value: unknown = JSON.parse(body.toString())
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
