/**
 * Which network (autonomous system) an address is in: two sorted tables of where each span begins, looked up by halving.
 * Built once from a text database (`ranges.ts`), kept as one file, read in milliseconds.
 */
export type Networks = {
  v4: { starts: Uint32Array; asns: Uint32Array }
  v6: { starts: BigUint64Array; asns: Uint32Array }
  names: Map<number, string>
  /** Date of the database, Unix seconds; null where it does not say. */
  date: number | null
  licence: string
}

/** A span of addresses [start, end] of one network; spans nest or lie apart, they never cross. */
export type Range<N extends number | bigint> = { start: N; end: N; asn: number }

/** Index of the last start that is not after `value`, or -1. */
export const lastNotAfter = (starts: Uint32Array | BigUint64Array, value: number | bigint): number => {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (starts[middle]! <= value) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** Nested ranges as spans that lie side by side: where each begins and whose it is, the innermost network winning. */
export const flatten = <N extends number | bigint>(
  ranges: Range<N>[],
  next: (value: N) => N,
): { starts: N[]; asns: number[] } => {
  ranges.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.end > b.end ? -1 : a.end < b.end ? 1 : 0))
  const starts: N[] = []
  const asns: number[] = []
  const begin = (start: N, asn: number): void => {
    if (starts.at(-1) === start) asns[asns.length - 1] = asn
    else if (asns.at(-1) !== asn) {
      starts.push(start)
      asns.push(asn)
    }
  }
  const open: Range<N>[] = []
  const closeBefore = (start: N | null): void => {
    for (let inner = open.at(-1); inner && (start === null || inner.end < start); inner = open.at(-1)) {
      open.pop()
      const after = next(inner.end)
      // The last address of all has none after it.
      if (after > inner.end) begin(after, open.at(-1)?.asn ?? 0)
    }
  }
  for (const range of ranges) {
    closeBefore(range.start)
    begin(range.start, range.asn)
    open.push(range)
  }
  closeBefore(null)
  return { starts, asns }
}

const MAGIC = 'peyk networks 1\n'

/** The tables as one file: magic line, a line of JSON, then the four arrays. */
export const encode = ({ v4, v6, names, date, licence }: Networks, source: string): Buffer => {
  const head = { source, date, licence, v4: v4.starts.length, v6: v6.starts.length, names: [...names] }
  const text = Buffer.from(`${MAGIC}${JSON.stringify(head)}\n`)
  // Arrays of 8-byte numbers are read in place, so they begin on a multiple of 8.
  const padding = Buffer.alloc((8 - (text.length % 8)) % 8, ' ')
  const bytes = (array: Uint32Array | BigUint64Array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength)
  return Buffer.concat([
    text.subarray(0, -1),
    padding,
    Buffer.from('\n'),
    bytes(v6.starts),
    bytes(v4.starts),
    bytes(v4.asns),
    bytes(v6.asns),
  ])
}

/** Read what `encode` wrote, for this source where one is given; null where it was written for another, or by another program. */
export const decode = (file: Buffer, source?: string): Networks | null => {
  if (file.subarray(0, MAGIC.length).toString() !== MAGIC) return null
  const end = file.indexOf('\n', MAGIC.length)
  const head = JSON.parse(file.subarray(MAGIC.length, end).toString()) as {
    source: string
    date: number | null
    licence: string
    v4: number
    v6: number
    names: [number, string][]
  }
  if ((source !== undefined && head.source !== source) || file.length !== end + 1 + head.v6 * 12 + head.v4 * 8)
    return null
  // A copy of its own, so that the arrays are aligned whatever pool the buffer came from.
  const { buffer } = new Uint8Array(file.subarray(end + 1))
  const v6 = {
    starts: new BigUint64Array(buffer, 0, head.v6),
    asns: new Uint32Array(buffer, head.v6 * 8 + head.v4 * 8, head.v6),
  }
  const v4 = {
    starts: new Uint32Array(buffer, head.v6 * 8, head.v4),
    asns: new Uint32Array(buffer, head.v6 * 8 + head.v4 * 4, head.v4),
  }
  return { v4, v6, names: new Map(head.names), date: head.date, licence: head.licence }
}
