import type { Range } from './range.ts'

/** Where something stands in a strip of time: share of the strip's width, 0 to 1, and its row, and whether
 * its label stands at its end. */
export type Placed<T> = { item: T; left: number; width: number; row: number; before: boolean }

/**
 * Places spans in as few rows as keep them, and their labels, from covering one another; those that come first get the
 * upper rows. `room` is the share of the width a label needs: to the right of the span's start, or, where there is no
 * space, to the left of its end.
 */
export function placed<T>(items: readonly T[], spanOf: (item: T) => Range, view: Range, room: number): Placed<T>[] {
  const length = view.to - view.from
  const share = (at: number) => Math.min(Math.max((at - view.from) / length, 0), 1)
  const rows: Range[][] = []
  return items
    .map(item => ({ item, span: spanOf(item) }))
    .filter(({ span }) => span.from < view.to && span.to >= view.from)
    .map(({ item, span }) => {
      const left = share(span.from)
      const right = share(span.to)
      const before = left + room > 1 && right - room >= 0
      const taken = before
        ? { from: Math.min(left, right - room), to: right }
        : { from: left, to: Math.max(right, left + room) }
      const free = rows.findIndex(row => row.every(other => taken.to <= other.from || taken.from >= other.to))
      const row = free === -1 ? rows.length : free
      rows[row] = [...(rows[row] ?? []), taken]
      return { item, left, width: right - left, row, before }
    })
}

/** As CSS wants it. */
export const percent = (share: number): string => `${Math.round(share * 1e5) / 1e3}%`
