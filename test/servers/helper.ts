import { connect } from 'node:net'
import { onTestFinished } from 'vitest'
import type { TargetOf } from '../../measurement/target.ts'
import { type HelperOptions, startHelper } from '../../probes/helper/helper.ts'
import { type Ask, type opening, writeAsk } from '../../probes/wire/helper.ts'
import { loopbackTarget } from './target.ts'

/** A helper of ours until the test is over. */
export const helperAt = async (more: Partial<HelperOptions> = {}) => {
  const helper = await startHelper({ host: '127.0.0.1', ports: [0], rate: 1e9, quota: 1e9, ...more })
  onTestFinished(() => helper.close())
  return helper.ports[0]!
}

type Opening = ReturnType<typeof opening>
type Flow = Exclude<TargetOf<'transfer'>['ask']['of'], { path: string }>

export const asking = (port: number, of: Partial<Flow> = {}, more: { bytes?: number; trains?: number } = {}) => {
  const { bytes = 163_840, trains = 0 } = more
  const flow = { over: 'tls', sni: 'web.telegram.org', shape: 'random', up: false, ...of } as const
  return loopbackTarget('transfer', port, { bytes, trains, of: flow }, { timeout: 25, decides: 'no' })
}

/** What the helper says to these questions, in so many bytes. */
export const spoken = async (port: number, { bytes, encrypt, decrypt }: Opening, length: number, ...asks: Ask[]) => {
  const socket = connect(port, '127.0.0.1')
  socket.write(Buffer.concat([bytes, ...asks.map(ask => encrypt.update(writeAsk(ask)))]))
  let come = Buffer.alloc(0)
  for await (const piece of socket) {
    come = Buffer.concat([come, decrypt.update(piece)])
    if (come.length >= length) break
  }
  return come
}
