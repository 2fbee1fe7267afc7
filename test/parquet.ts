import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'

/** Rows of a Parquet file, by a reader that shares nothing with the engine that wrote it. */
export const parquetRows = async (file: Uint8Array): Promise<Record<string, unknown>[]> =>
  await parquetReadObjects({ file: new Uint8Array(file).buffer, compressors })

/** All of a stream of bytes. */
export const whole = async (parts: AsyncIterable<Uint8Array>): Promise<Buffer> => {
  const all: Uint8Array[] = []
  for await (const part of parts) all.push(part)
  return Buffer.concat(all)
}
