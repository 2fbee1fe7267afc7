import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { CompactEncrypt } from 'jose/jwe/compact/encrypt'
import { importJWK } from 'jose/key/import'
import type { SealingKey } from './operator.ts'
import type { Seal } from './spool.ts'

/** Header `cty` of a sealed batch: what is inside, once opened. */
export const SEALED_CONTENT = 'ndjson+gzip'

/** Sealed sizes come in steps of this many bytes, so that they tell less of what is inside. */
const STEP = 512

const compress = promisify(gzip)

/**
 * Seals batches to the server's key: compact JWE (RFC 7516), ECDH-ES on X25519, A256GCM, over gzipped ndjson. Every batch
 * has an ephemeral key of its own, so the agent cannot open it again, nor can who seizes its disk. gzip readers stop at
 * the end of the stream; zeros after it make sizes alike.
 */
export const sealTo =
  (recipient: () => SealingKey): Seal =>
  async lines => {
    const { kid, ...jwk } = recipient()
    const packed = await compress(lines)
    const padded = Buffer.alloc(Math.ceil(packed.length / STEP) * STEP)
    packed.copy(padded)
    const bytes = await new CompactEncrypt(padded)
      .setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid, cty: SEALED_CONTENT })
      .encrypt(await importJWK(jwk, 'ECDH-ES'))
    return { encoding: 'jwe', bytes }
  }
