import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { compactDecrypt, decodeProtectedHeader, importJWK, type JWK } from 'jose'
import { expect, test } from 'vitest'
import { makeKey, publicHalf } from '../../probes/agent/identity.ts'
import { type OperatorDocument, openOperator, type SealingKey, signOperator } from '../../probes/agent/operator.ts'
import { sealTo } from '../../probes/agent/seal.ts'
import { contents, folder, sample, spoolAt } from './samples.ts'

const pair = (kid: string): { sealing: SealingKey; secret: JWK } => {
  const secret = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' }) as JWK
  return { secret, sealing: { kid, kty: 'OKP', crv: 'X25519', x: secret.x! } }
}

const openWith = async (jwe: string, secret: JWK): Promise<string> => {
  const { plaintext } = await compactDecrypt(jwe, await importJWK(secret, 'ECDH-ES'))
  return gunzipSync(plaintext).toString()
}

test('what is sealed opens with the server’s key and no other, and every time looks new', async () => {
  const { sealing, secret } = pair('one')
  const seal = sealTo(() => sealing)
  const lines = [sample(), sample()].map(one => JSON.stringify(one)).join('\n')
  const first = await seal(lines)
  const second = await seal(lines)
  expect(first.encoding).toBe('jwe')
  expect(first.bytes).not.toBe(second.bytes)
  expect(await openWith(first.bytes, secret)).toBe(lines)
  await expect(openWith(first.bytes, pair('other').secret)).rejects.toThrow()
  expect(decodeProtectedHeader(first.bytes)).toMatchObject({
    alg: 'ECDH-ES',
    enc: 'A256GCM',
    kid: 'one',
    cty: 'ndjson+gzip',
  })
})

test('sizes of sealed batches come in steps', async () => {
  const { sealing } = pair('one')
  const seal = sealTo(() => sealing)
  const sizes = await Promise.all(
    ['a', 'ab', 'abc', 'x'.repeat(100)].map(async text => (await seal(text)).bytes.length),
  )
  expect(new Set(sizes).size).toBe(1)
})

test('a sealed spool is smaller than a plain one, and the agent itself cannot read it', async () => {
  const { sealing, secret } = pair('one')
  const append = async (options: object) => {
    const spool = await spoolAt(await folder(), options)
    const made = Array.from({ length: 20 }, () => spool.append(sample()))
    await spool.flush()
    await Promise.all(made)
    return spool
  }
  const plain = await append({})
  const sealed = await append({ seal: sealTo(() => sealing) })
  expect(sealed.status().bytes).toBeLessThan(plain.status().bytes / 2)
  await expect(contents(sealed)).rejects.toThrow()
  const [batch] = await sealed.peek(1, 1)
  expect((await openWith(batch!.bytes, secret)).split('\n')).toHaveLength(20)
  await plain.close()
  await sealed.close()
})

test('the operator’s document gives servers and the key to seal to; a foreign, odd or older one is not taken', async () => {
  const key = makeKey()
  const [first, second] = [pair('first'), pair('second')]
  const document: OperatorDocument = {
    version: 2,
    issued: 1_790_000_000,
    expires: 1_800_000_000,
    servers: ['https://a.test/', 'https://b.test/x'],
    sealing: [first.sealing, second.sealing],
  }
  const keeper = await openOperator(join(await folder(), 'operator.jose'), publicHalf(key), false)
  const offer = async (more: object, by = key) =>
    keeper.offer(await signOperator({ ...document, ...more }, by), 1_790_000_001)
  expect(await offer({})).toBe(true)
  expect(keeper.current()).toMatchObject({ version: 2, sealing: first.sealing })
  expect(keeper.current()!.servers.map(({ href }) => href)).toEqual(document.servers)
  await expect(offer({ version: 3 }, makeKey())).rejects.toThrow('not signed by the operator key')
  await expect(offer({ version: 1 })).rejects.toThrow('older')
  await expect(offer({ version: 3, servers: ['http://a.test/'] })).rejects.toThrow('not an https:// address')
  await expect(offer({ version: 3, sealing: [] })).rejects.toThrow('/sealing')
  expect(await offer({ version: 3, sealing: [second.sealing] })).toBe(true)
  expect(keeper.current()!.sealing.kid).toBe('second')
})
