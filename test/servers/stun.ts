import ipaddr from 'ipaddr.js'
import { udpPeer } from './dns.ts'

/** How the server says it: as servers do today, as the first ones did (RFC 3489), or cut short. */
type Form = 'xor' | 'plain' | 'cut'

/** Success to a binding request, from whom it sees at `address`. */
export const stunAnswer = (request: Buffer, address: string, form: Form = 'xor'): Buffer => {
  const bytes = ipaddr.parse(address).toByteArray()
  const mask = form === 'plain' ? Buffer.alloc(16) : request.subarray(4, 20)
  const value = Buffer.from([0, bytes.length === 4 ? 1 : 2, 0x11, 0x22, ...bytes.map((byte, at) => byte ^ mask[at]!)])
  const said = form === 'cut' ? value.subarray(0, 6) : value
  const attribute = Buffer.alloc(4 + Math.ceil(said.length / 4) * 4)
  attribute.writeUInt16BE(form === 'plain' ? 0x0001 : 0x0020)
  attribute.writeUInt16BE(said.length, 2)
  said.copy(attribute, 4)
  const head = Buffer.from(request.subarray(0, 20))
  head.writeUInt16BE(0x0101)
  head.writeUInt16BE(attribute.length, 2)
  return Buffer.concat([head, attribute])
}

/** A STUN server (RFC 8489) that sees everybody at an address of the test's choice. */
export const stunPeer = async (address: () => string, form: Form = 'xor', host = '127.0.0.1') => {
  let asked = 0
  const peer = await udpPeer((request, send) => {
    asked++
    send(stunAnswer(request, address(), form))
  }, host)
  return { ...peer, asked: () => asked }
}
