import { createConnection, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { mayConnect } from './address.ts'
import { classify, Failed } from './classify.ts'
import { tunnel } from './proxy.ts'
import { firstEvent, Stream } from './stream.ts'
import type { Trace } from './trace.ts'

/** TCP to an address, or through the proxy to an address or name. */
export const connect = async (trace: Trace, address: string, port: number): Promise<Stream | null> => {
  let stream: Stream | undefined
  const meter = () => stream?.meter() ?? { sent: 0, received: 0 }
  return trace.step('connect', meter, async () => {
    refuse(trace, address)
    const { proxy } = trace.options
    const place = proxy ? proxyPlace(proxy) : { host: address, port }
    stream = new Stream(createConnection({ ...place, noDelay: true }))
    trace.keep(stream, stream.meter)
    try {
      await opened(stream)
    } catch (error) {
      throw proxy ? new Failed('proxy_failed') : agentsOwn(error, address)
    }
    if (proxy) await tunnel(stream, proxy, address, port)
    else {
      // What was asked for is not proof of where the socket ended.
      if (isIP(address) && !mayConnect(stream.tcp.remoteAddress ?? '', trace.target.address))
        throw new Failed('address_not_allowed')
      trace.connected = stream.tcp.remoteAddress ?? null
    }
    return stream
  })
}

/** Nothing outside the target's rule is ever dialled. A name passes only behind a proxy, which looks it up. */
export const refuse = (trace: Trace, address: string): void => {
  const { target, options } = trace
  if (target.address === 'loopback' && !options.loopback) throw new Failed('address_not_allowed')
  if (!isIP(address) ? !options.proxy : !mayConnect(address, target.address)) throw new Failed('address_not_allowed')
}

const proxyPlace = (proxy: URL): { host: string; port: number } => ({
  host: proxy.hostname.replace(/^\[|\]$/g, ''),
  port: Number(proxy.port) || (proxy.protocol === 'socks5:' ? 1080 : 80),
})

const opened = async (stream: Stream): Promise<void> => {
  if ((await firstEvent(stream.tcp, 'connect')) === 'closed') throw new Failed('connection_aborted')
}

/** No route for a family of which this machine has no address says nothing of the target. */
export const agentsOwn = (error: unknown, address: string): unknown =>
  isIP(address) === 6 && classify(error) === 'network_unreachable' && !hasGlobal6()
    ? new Failed('address_family_missing')
    : error

const hasGlobal6 = (): boolean =>
  Object.values(networkInterfaces()).some(addresses =>
    addresses?.some(({ family, address }) => family === 'IPv6' && mayConnect(address, 'public')),
  )
