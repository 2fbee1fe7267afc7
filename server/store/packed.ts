import { deserialize, serialize } from 'node:v8'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'

/** Compressed: the engine would, but reads eight times the text first. */
export const packed = (value: object): string => zstdCompressSync(serialize(value)).toString('base64')

export const unpacked = <T>(state: string): T => deserialize(zstdDecompressSync(Buffer.from(state, 'base64'))) as T
