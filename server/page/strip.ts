import type { Range } from './range.ts'

/** Where something stands in a strip of time: share of the strip's width, 0 to 1, and its row. */
export type Placed<T> = { item: T; left: number; width: number; row: number }

/**
 * Places spans in as few rows as keep them, and their labels, from covering one another. `room` is the share of the width
 * that a label needs where its span is shorter.
 */
export function placed<T>(items: readonly T[], spanOf: (item: T) => Range, view: Range, room: number): Placed<T>[] {
  const length = view.to - view.from
  const share = (at: number) => Math.min(Math.max((at - view.from) / length, 0), 1)
  const ends: number[] = []
  return [...items]
    .map(item => ({ item, span: spanOf(item) }))
    .filter(({ span }) => span.from < view.to && span.to >= view.from)
    .sort((a, b) => a.span.from - b.span.from || b.span.to - a.span.to)
    .map(({ item, span }) => {
      const left = share(span.from)
      const width = share(span.to) - left
      const free = ends.findIndex(end => end <= left)
      const row = free === -1 ? ends.length : free
      ends[row] = left + Math.max(width, room)
      return { item, left, width, row }
    })
}

/** As CSS wants it. */
export const percent = (share: number): string => `${Math.round(share * 1e5) / 1e3}%`
