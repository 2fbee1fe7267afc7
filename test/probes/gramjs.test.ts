import { _serverKeys } from 'telegram/crypto/RSA.js'
import { Logger, LogLevel } from 'telegram/extensions/Logger.js'
import { PromisedNetSockets } from 'telegram/extensions/PromisedNetSockets.js'
import { readBigIntFromBuffer } from 'telegram/Helpers.js'
import { doAuthentication } from 'telegram/network/Authenticator.js'
import { ConnectionTCPObfuscated } from 'telegram/network/connection/TCPObfuscated.js'
import { MTProtoPlainSender } from 'telegram/network/MTProtoPlainSender.js'
import { expect, test } from 'vitest'
import { type Answers, dataCentre } from '../servers/mtproto.ts'
import { exchangeKey } from '../servers/mtproto-exchange.ts'
import { tcpPeer } from '../servers/tcp.ts'

const REQ_DH_PARAMS = 0xd712e4be

/** Messages an independent client (GramJS) sends to our data centre until it gives up or waits for more than resPQ. */
const talk = async (answers: Answers, expected = 2): Promise<Buffer[]> => {
  const messages: Buffer[] = []
  const two = Promise.withResolvers<void>()
  await using peer = await tcpPeer(
    dataCentre(answers, message => {
      messages.push(Buffer.from(message))
      if (messages.length === expected) two.resolve()
    }),
  )
  const loggers = new Logger(LogLevel.NONE)
  const connection = new ConnectionTCPObfuscated({
    ip: '127.0.0.1',
    port: peer.port,
    dcId: 2,
    loggers,
    socket: PromisedNetSockets,
    testServers: false,
  })
  await connection.connect()
  const authentication = doAuthentication(new MTProtoPlainSender(connection, loggers), loggers)
  await Promise.race([two.promise, authentication]).catch(() => {})
  await connection.disconnect()
  await authentication.catch(() => {})
  return messages
}

test('an independent client accepts the data centre these tests stand on: it goes on to the key exchange', async () => {
  const [question, exchange] = await talk({ padding: 8 })
  expect(question!.readUInt32LE(20)).toBe(0xbe7e8ef1)
  expect(exchange!.readUInt32LE(20)).toBe(REQ_DH_PARAMS)
  const nonce = question!.subarray(24, 40)
  expect(exchange!.subarray(24, 40).equals(nonce)).toBe(true)
  // 0x17ED48941A08F981 = 0x494C553B · 0x53911073, the published sample's pq.
  expect(exchange!.subarray(56, 72).toString('hex')).toBe('04494c553b0000000453911073000000')
})

test('it accepts the data centre’s key exchange too, under a key it was given, and finishes it', async () => {
  const key = exchangeKey()
  const signed = BigInt.asIntN(64, BigInt(`0x${key.fingerprint}`)).toString()
  _serverKeys.set(signed, { n: readBigIntFromBuffer(key.modulus, false, false), e: 65537 })
  const messages = await talk({ keys: [key.fingerprint], exchange: request => key.answer(request) }, 3)
  // set_client_DH_params: it has decrypted and believed our answer.
  expect(messages[2]?.readUInt32LE(20)).toBe(0xf5045f1f)
  expect(await talk({ keys: [key.fingerprint], exchange: request => key.answer(request, 'guess') }, 3)).toHaveLength(2)
})

test('it does not accept another nonce, nor a key it does not know', async () => {
  expect(await talk({ nonce: Buffer.alloc(16, 7) })).toHaveLength(1)
  expect(await talk({ keys: ['0000000000000001'] })).toHaveLength(1)
})
