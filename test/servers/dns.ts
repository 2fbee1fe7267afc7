import { createSocket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import { type Answer, decode, encode, type Packet } from 'dns-packet'

export type UdpPeer = { port: number } & AsyncDisposable

/** A UDP peer that sends back whatever the test makes of a datagram, in order. */
export const udpPeer = async (
  talk: (message: Buffer, send: (bytes: Uint8Array) => void) => void,
  host = '127.0.0.1',
  port = 0,
): Promise<UdpPeer> => {
  const socket = createSocket('udp4')
  socket.on('message', (message, from) => talk(message, bytes => socket.send(bytes, from.port, from.address)))
  await new Promise<void>(resolve => socket.bind(port, host, resolve))
  return {
    port: (socket.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>(resolve => socket.close(() => resolve())),
  }
}

/** An answer to a query: addresses, or a response code. */
export const dnsAnswer = (
  query: Buffer,
  addresses: readonly string[],
  more: { rcode?: number; id?: number } = {},
): Buffer => {
  const { id = 0, questions = [] } = decode(query)
  const [question] = questions
  const answers: Answer[] = addresses.map(data => ({
    type: data.includes(':') ? 'AAAA' : 'A',
    name: question!.name,
    ttl: 60,
    data,
  }))
  const packet: Packet = { type: 'response', id: more.id ?? id, flags: 0x8180 | (more.rcode ?? 0), questions, answers }
  return encode(packet)
}
