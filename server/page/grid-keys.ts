/** Arrow keys for a table whose cells hold one link each: one tab stop for the grid, as ARIA's grid pattern asks. */

const moves: Record<string, [rows: number, columns: number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
}

/** Where focus goes from (row, column) in a table of that many rows and columns; null where the key means nothing. */
export function nextCell(
  key: string,
  at: { row: number; column: number },
  size: { rows: number; columns: number },
  { control, rightToLeft }: { control: boolean; rightToLeft: boolean },
): { row: number; column: number } | null {
  const last = { row: size.rows - 1, column: size.columns - 1 }
  if (key === 'Home') return { row: control ? 0 : at.row, column: 0 }
  if (key === 'End') return { row: control ? last.row : at.row, column: last.column }
  const move = moves[key]
  if (move === undefined) return null
  const sideways = rightToLeft ? -move[1] : move[1]
  const within = (value: number, most: number) => Math.min(Math.max(value, 0), most)
  return { row: within(at.row + move[0], last.row), column: within(at.column + sideways, last.column) }
}

const cellsOf = (row: Element) => [...row.querySelectorAll<HTMLElement>('[data-cell]')]

export function onGridKey(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const from = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-cell]') : null
  if (from === null) return
  const rows = [...event.currentTarget.querySelectorAll('tbody tr')].map(cellsOf).filter(cells => cells.length > 0)
  const row = rows.findIndex(cells => cells.includes(from))
  const next = nextCell(
    event.key,
    { row, column: rows[row]!.indexOf(from) },
    { rows: rows.length, columns: Math.max(...rows.map(cells => cells.length)) },
    { control: event.ctrlKey, rightToLeft: document.documentElement.dir === 'rtl' },
  )
  if (next === null) return
  event.preventDefault()
  const cells = rows[next.row]!
  const to = cells[Math.min(next.column, cells.length - 1)]!
  from.tabIndex = -1
  to.tabIndex = 0
  to.focus()
}
