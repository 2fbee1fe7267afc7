import type { TargetOf } from '../measurement/target.ts'
import { withHelper } from './helper-flow.ts'
import { judgeHead } from './http.ts'
import { Failed } from './net/classify.ts'
import type { Net } from './net/net.ts'
import type { Head } from './net/request.ts'
import type { Stream } from './net/stream.ts'
import type { Probe } from './probe.ts'

type Ask = TargetOf<'transfer'>['ask']
type FileOf = Extract<Ask['of'], { path: string }>
type Target = TargetOf<'transfer'>

/** Small requests of one train (reference detection.md §1.7: 2 x 25 on each side). */
export const TRAIN = 25

/**
 * Bytes against time; then trains of small requests, which show what is lost on the way up. From an object everybody may
 * fetch, or with Peyk's own helper. One leg of a pair where the agent says so (docs/probes/transfer.md).
 */
export const transfer: Probe<'transfer'> = async (target, net, signal) => {
  const { of } = target.ask
  if ('path' in of) await fromObject(target, of, net)
  else await withHelper(target, of, net, signal)
}

/** A range of an object, timed on the socket. */
const fromObject = async (target: Target, of: FileOf, net: Net): Promise<void> => {
  const { ask } = target
  const light = ask.beside ? await reach(target, of, net) : null
  if (ask.beside && !light) return
  const stream = await reach(target, of, net)
  if (!stream) return
  const judge = (bytes: number) => (head: Head) => judgeRange(head, { host: target.host, of }, bytes)
  const all = () => net.transfer(stream, question(target, of, ask.bytes), judge(ask.bytes))
  const whole = light ? await net.beside(light, question(target, of, 1), judge(1), all) : await all()
  for (let left = ask.trains; whole && left > 0; left--) {
    stream.destroy()
    const next = await reach(target, of, net)
    if (!next) return
    await net.train(next, question(target, of, 1), TRAIN, judge(1))
    next.destroy()
  }
}

/** TCP, and TLS under the host's name or the one the target says: under that any certificate counts. */
const reach = async ({ host }: Target, { scheme, sni = host, roots }: FileOf, net: Net): Promise<Stream | null> => {
  const stream = await net.reach()
  if (!stream || scheme === 'http') return stream
  return net.handshake(stream, { sni, alpn: ['http/1.1'], roots, verify: sni === host ? host : null })
}

const question = ({ host, port }: Target, { scheme, path }: FileOf, bytes: number) => ({
  ...{ scheme, host, port, method: 'GET' as const, path, limit: bytes },
  headers: { range: `bytes=0-${bytes - 1}`, 'accept-encoding': 'identity' },
})

const RANGE = /^bytes 0-(\d+)\/(\d+|\*)$/

/** Throws the failure of an answer whose bytes say nothing of the line, or are not those that were asked for. */
const judgeRange = (head: Head, { host, of }: { host: string; of: FileOf }, bytes: number): void => {
  const { status, headers } = head
  const { size, edge } = of
  if (status === 416) throw new Failed('transfer_object_changed', status)
  if (status === 200) throw new Failed('transfer_range_refused', status)
  judgeHead(head, host, { status: [206] })
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') throw new Failed('transfer_compressed')
  const [, last, total] = RANGE.exec(headers['content-range'] ?? '') ?? []
  if (last === undefined) throw new Failed('transfer_range_refused')
  const wrong = Number(last) !== bytes - 1 || (size !== undefined && total !== `${size}`)
  if (wrong || Number(headers['content-length'] ?? bytes) !== bytes) throw new Failed('transfer_object_changed')
  if (!edge && isCached(headers)) throw new Failed('transfer_cached')
}

/** A cache says so by its age, by name, or as a proxy that passed the answer on (RFC 9111 §5.1, RFC 9110 §7.6.3). */
const isCached = ({ age = '0', via, 'x-cache': cache = '' }: Head['headers']): boolean =>
  Number(age) > 0 || via !== undefined || /\bhit\b/i.test(cache)
