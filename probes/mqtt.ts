import { randomBytes } from 'node:crypto'
import { Failed } from './net/classify.ts'
import type { Probe } from './probe.ts'

/**
 * An MQTT 3.1.1 broker is asked to connect us without an account (CONNECT, OASIS MQTT §3.1). Any CONNACK is an answer:
 * refusing strangers is what a messenger's broker should do; its return code is the step's `code`.
 */
export const mqtt: Probe<'mqtt'> = async ({ host, ask }, net) => {
  const stream = await net.reach()
  if (!stream) return
  if (ask.tls && !(await net.handshake(stream, { sni: host, alpn: [], roots: ask.roots, verify: host }))) return
  const answered = await net.speak('protocol_handshake', stream, async (wire, note) => {
    wire.write(connect(randomBytes(8).toString('hex')))
    note.code = judgeConnack(await wire.read(4))
    wire.write(Buffer.of(0xe0, 0))
    return true
  })
  if (answered) net.prove(ask.tls ? 'certificate' : 'none')
}

/** A clean session for this client id, ten seconds of keep-alive. */
const connect = (client: string): Buffer =>
  Buffer.concat([
    Buffer.of(0x10, 12 + client.length, 0, 4),
    Buffer.from('MQTT'),
    Buffer.of(4, 2, 0, 10, 0, client.length),
    Buffer.from(client),
  ])

/** The return code of a CONNACK, 0 to 5. */
export const judgeConnack = (packet: Buffer): number => {
  const code = packet[3]!
  if (packet[0] !== 0x20 || packet[1] !== 2 || packet[2]! > 1 || code > 5) throw new Failed('mqtt_malformed')
  return code
}
