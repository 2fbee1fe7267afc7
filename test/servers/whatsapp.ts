import { createCipheriv, createHash, hkdfSync } from 'node:crypto'
import type { Socket } from 'node:net'
import { calculateSignature, generateKeyPair } from 'whatsapp-rust-bridge'
import { encode } from '../../probes/wire/protobuf.ts'
import { agree, keyPair, secretFrom } from '../../probes/wire/x25519.ts'

/** A pair as the independent library makes it: its public keys have a type byte in front. */
const pair = () => {
  const { pubKey, privKey } = generateKeyPair()
  return { public: Buffer.from(pubKey).subarray(-32), secret: Buffer.from(privKey) }
}

/** Things to get wrong. */
export type Flaws = {
  expired?: boolean
  otherKey?: boolean
  otherRoot?: boolean
  unlinked?: boolean
  garbled?: boolean
  raw?: Buffer
}

const DAY = 86_400

/** WhatsApp's side of Noise XX up to serverHello, with a certificate chain under a root of its own. */
export const whatsAppPeer = (flaws: Flaws = {}) => {
  const root = pair()
  const middle = pair()
  const server = pair()
  const now = Math.floor(Date.now() / 1000)
  const certificate = (
    serial: number,
    issuer: number,
    key: Buffer,
    signer: { secret: Buffer },
    until: number,
  ): Buffer => {
    const details = encode([
      [1, serial],
      [2, issuer],
      [3, key],
      [4, now - DAY],
      [5, until],
    ])
    return encode([
      [1, details],
      [2, calculateSignature(signer.secret, details)],
    ])
  }
  const leafKey = flaws.otherKey ? pair().public : server.public
  const chain = encode([
    [1, certificate(7, flaws.unlinked ? 6 : 5, leafKey, middle, flaws.expired ? now - 9 : now + DAY)],
    [2, certificate(5, 0, middle.public, flaws.otherRoot ? pair() : root, now + DAY)],
  ])
  const answer = (prologue: Buffer, theirs: Buffer): Buffer =>
    serverHello(prologue, theirs, server.secret, chain, flaws)
  const talk = (
    socket: Pick<Socket, 'write'> & { on(event: 'data', listener: (bytes: Buffer) => void): unknown },
  ): void => {
    let seen: Buffer = Buffer.alloc(0)
    socket.on('data', bytes => {
      seen = Buffer.concat([seen, bytes])
      if (seen.length < 7 || seen.length < 7 + seen.readUIntBE(4, 3)) return
      if (flaws.raw) {
        socket.write(flaws.raw)
        return
      }
      // HandshakeMessage { 2 clientHello { 1 ephemeral } }: two bytes of tag and length each.
      const ephemeral = seen.subarray(7 + 4, 7 + 4 + 32)
      const message = answer(seen.subarray(0, 4), ephemeral)
      const length = Buffer.alloc(3)
      length.writeUIntBE(message.length, 0, 3)
      socket.write(Buffer.concat([length, message]))
    })
  }
  return { root: root.public.toString('hex'), talk, answer, serverKey: server.public }
}

const serverHello = (prologue: Buffer, theirs: Buffer, serverSecret: Buffer, chain: Buffer, flaws: Flaws): Buffer => {
  const name = Buffer.concat([Buffer.from('Noise_XX_25519_AESGCM_SHA256'), Buffer.alloc(4)])
  const ephemeral = keyPair()
  const fixed = secretFrom(serverSecret)
  let hash = name
  let salt: Buffer = name
  const mixHash = (bytes: Buffer): void => {
    hash = createHash('sha256').update(hash).update(bytes).digest()
  }
  const mixKey = (shared: Buffer): Buffer => {
    const derived = Buffer.from(hkdfSync('sha256', shared, salt, '', 64))
    salt = derived.subarray(0, 32)
    return derived.subarray(32)
  }
  const seal = (key: Buffer, bytes: Buffer): Buffer => {
    const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12))
    cipher.setAAD(hash)
    const sealed = Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
    mixHash(sealed)
    return sealed
  }
  mixHash(prologue)
  mixHash(theirs)
  mixHash(ephemeral.bytes)
  const fixedSealed = seal(mixKey(agree(ephemeral, theirs, 'noise_decrypt_failed')), fixed.bytes)
  const payload = seal(mixKey(agree(fixed, theirs, 'noise_decrypt_failed')), chain)
  if (flaws.garbled) payload[5]! ^= 1
  return encode([
    [
      3,
      encode([
        [1, ephemeral.bytes],
        [2, fixedSealed],
        [3, payload],
      ]),
    ],
  ])
}
