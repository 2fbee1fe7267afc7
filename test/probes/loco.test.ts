import { type Document, deserialize, serialize } from 'bson'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bsonFields, judgeConfiguration, request } from '../../probes/loco.ts'
import { Failed } from '../../probes/net/classify.ts'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { loopbackTarget } from '../servers/target.ts'
import { tlsPeer } from '../servers/tcp.ts'

const root = certificate('Test root', { ca: true })
trust(root)
const leaf = certificate('leaf', { issuer: root, hosts: ['localhost'] })

/** A healthy configuration as clients describe it, with types the probe does not look at. */
const configuration = {
  status: 0,
  revision: 1n,
  '3g': { ports: [9282, 5228] },
  wifi: { keepInterval: 300, ports: [995, 9282], on: true, rate: 1.5, at: new Date(0), none: null },
  ticket: { ssl: [], v2sl: [], lsl: ['ticket-loco.app.test'], lsl6: [] },
}

type Flaws = { id?: number; status?: number; method?: string; length?: number }

/** The booking server: the head of a LOCO packet, then BSON by the reference library. */
const answering = (body: Document | Buffer, flaws: Flaws = {}) =>
  tlsPeer({ key: leaf.keyPem, cert: leaf.pem }, socket => {
    socket.once('data', asked => {
      expect(deserialize(asked.subarray(22))).toEqual({ MCCMNC: '99999', model: '', os: 'android' })
      const bytes = Buffer.isBuffer(body) ? body : Buffer.from(serialize(body))
      const head = Buffer.from(asked.subarray(0, 22))
      head.writeUInt32LE(flaws.id ?? head.readUInt32LE())
      head.writeInt16LE(flaws.status ?? 0, 4)
      if (flaws.method) head.write(flaws.method, 6)
      head.writeUInt32LE(flaws.length ?? bytes.length, 18)
      socket.write(Buffer.concat([head, bytes]))
    })
  })

const ask = async (body: Document | Buffer, flaws: Flaws = {}) => {
  await using peer = await answering(body, flaws)
  return await run(loopbackTarget('loco', peer.port, { roots: 'public' }, { host: 'localhost' }))
}

test('a configuration with servers: answered', async () => {
  const { failure, origin_proof, steps } = await ask(configuration)
  expect(failure).toBeNull()
  expect(origin_proof).toBe('protocol')
  expect(steps.at(-1)).toMatchObject({ operation: 'protocol_handshake', code: 0 })
})

test.each<[string, Document | Buffer, Flaws, string]>([
  ['no servers', { ticket: { lsl: [] } }, {}, 'loco_refused'],
  ['no ticket', { status: 0 }, {}, 'loco_refused'],
  ['a status in the body', { ...configuration, status: -500 }, {}, 'loco_refused'],
  ['a status in the head', configuration, { status: -300 }, 'loco_refused'],
  ['another id', configuration, { id: 1 }, 'loco_malformed'],
  ['another method', configuration, { method: 'CHECKIN' }, 'loco_malformed'],
  ['a body of 4 GB', configuration, { length: 0xffffffff }, 'loco_malformed'],
  ['a body that is no BSON', Buffer.alloc(40, 3), {}, 'loco_malformed'],
])('%s: %s', async (_, body, flaws, failure) => {
  expect((await ask(body, flaws)).steps.at(-1)).toMatchObject({ operation: 'protocol_handshake', failure })
})

test('the head of a request, field by field', () => {
  const head = request(0x01020304).subarray(0, 22)
  expect(head.toString('hex')).toBe(
    `04030201${'0000'}${Buffer.from('GETCONF').toString('hex')}${'00000000'}00${'33000000'}`,
  )
})

test('BSON of the reference library is read whole', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.double())),
      document => {
        expect([...bsonFields(Buffer.from(serialize(document))).keys()].sort()).toEqual(Object.keys(document).sort())
      },
    ),
  )
})

test('any bytes: a failure, no other throw, no hang', () => {
  const good = Buffer.from(serialize(configuration))
  const mangled = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    .map(changes => {
      const bytes = Buffer.from(good)
      for (const [at, value] of changes) bytes[at] = value
      return bytes
    })
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 100 }).map(bytes => Buffer.from(bytes)),
        mangled,
      ),
      bytes => {
        try {
          judgeConfiguration(bytes)
        } catch (error) {
          if (!(error instanceof Failed)) throw error
        }
      },
    ),
    { numRuns: 3000 },
  )
})
