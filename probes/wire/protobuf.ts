import { Reader, Writer } from 'protobufjs/minimal.js'

/**
 * Protocol buffers without a schema, for the few messages probes exchange. The library's reader and writer do the wire
 * format; a schema compiler would be most of the agent's bundle.
 */
export type Field = number | Buffer
export type Fields = ReadonlyMap<number, readonly Field[]>

/** A message of varints and byte strings, in the order given. */
export const encode = (fields: readonly (readonly [number, Field | Uint8Array])[]): Buffer => {
  const writer = Writer.create()
  for (const [number, value] of fields) {
    if (typeof value === 'number') writer.uint32((number << 3) | 0).uint64(value)
    else writer.uint32((number << 3) | 2).bytes(value)
  }
  return Buffer.from(writer.finish())
}

/** Fields by number; empty where the bytes are no message. Fixed-size fields are skipped, none of ours are. */
export const decode = (bytes: Buffer): Fields => {
  const fields = new Map<number, Field[]>()
  try {
    const reader = Reader.create(bytes)
    while (reader.pos < reader.len) {
      const tag = reader.uint32()
      const number = tag >>> 3
      const type = tag & 7
      if (type !== 0 && type !== 2) reader.skipType(type)
      else {
        const value = type === 0 ? Number(reader.uint64()) : Buffer.from(reader.bytes())
        fields.set(number, [...(fields.get(number) ?? []), value])
      }
    }
    return fields
  } catch {
    return new Map()
  }
}

export const first = (fields: Fields, number: number): Field | undefined => fields.get(number)?.[0]
