import { isIP } from 'node:net'
import type { TargetOf } from '../measurement/target.ts'
import { knownPage } from './net/blockpage.ts'
import { Failed } from './net/classify.ts'
import type { Answer, Head } from './net/request.ts'
import type { Probe } from './probe.ts'

type Expected = TargetOf<'http'>['ask']['expect']

/** Bytes of a body that are read: enough for a block page, or for the text or JSON the target expects. */
const LOOK = 16_384
const READ = 262_144

/** One HTTP/1.1 exchange, and whether the answer is one that the app gives. */
export const http: Probe<'http'> = async ({ host, port, ask }, net) => {
  const { scheme, method, path, headers, roots, expect } = ask
  const stream = await net.reach()
  if (!stream) return
  if (scheme === 'https' && !(await net.handshake(stream, { sni: host, alpn: ['http/1.1'], roots, verify: host })))
    return
  const limit = expect.body !== undefined || expect.json !== undefined ? READ : LOOK
  await net.request(stream, { scheme, host, port, method, path, headers, limit }, answer => {
    judgeAnswer(answer, host, expect)
  })
}

/** Throws the failure of an answer the app does not give; most telling first. */
export const judgeAnswer = (answer: Answer, host: string, expect: Expected): void => {
  const text = answer.body.toString('latin1')
  const mark = knownPage(answer.headers['location'], text)
  if (mark) {
    answer.mark = mark
    throw new Failed('http_blockpage')
  }
  judgeHead(answer, host, expect)
  if (expect.body !== undefined && !answer.body.includes(expect.body)) {
    throw new Failed(answer.cut ? 'http_too_large' : 'http_answer_unexpected')
  }
  if (expect.json !== undefined) judgeJson(answer, expect.json)
}

/** The same for what comes before the body. */
export const judgeHead = (head: Head, host: string, expect: Expected): void => {
  judgeRedirect(head, host)
  if (expect.status.length > 0 && !expect.status.includes(head.status)) throw new Failed('http_unexpected_status_code')
  if (expect.header !== undefined && !(expect.header in head.headers)) throw new Failed('http_answer_unexpected')
}

/** Apps redirect to names. A bare address that is not the target's own is someone else's page (a portal, a filter). */
const judgeRedirect = ({ status, headers }: Head, host: string): void => {
  const location = headers['location']
  if (status < 300 || status > 399 || location === undefined) return
  const base = `http://${isIP(host) === 6 ? `[${host}]` : host}/`
  if (!URL.canParse(location, base)) throw new Failed('http_invalid_redirect_location_host')
  const to = new URL(location, base).hostname.replace(/^\[|\]$/g, '')
  if (isIP(to) && to !== host) throw new Failed('http_unexpected_redirect_url')
}

const judgeJson = ({ body, cut }: Answer, key: string): void => {
  if (cut) throw new Failed('http_too_large')
  const parsed = parse(body)
  if (parsed === undefined) throw new Failed('json_parse_error')
  if (typeof parsed !== 'object' || parsed === null || !Object.hasOwn(parsed, key))
    throw new Failed('http_answer_unexpected')
}

const parse = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    return undefined
  }
}
