import { wilson } from '../../measurement/judge/statistics.ts'

/** One row of a table. */
export type Figure = Record<string, string | number>

/** A share with its 95 % Wilson interval, as `.97 (.94-.99) of 120`. */
export const shareOf = (some: number, all: number): string => {
  if (all === 0) return 'none'
  const { low, high } = wilson(some / all, all)
  const short = (value: number): string => (value * 100).toFixed(value > 0 && value < 0.1 ? 2 : 1)
  return `${short(some / all)} % (${short(low)}-${short(high)}) of ${all}`
}

/** Whether a goal is met, by the figure itself; `proven` where its interval meets it too. */
export const goal = (some: number, all: number, { least = 0, most = 1 }: { least?: number; most?: number }): string => {
  const share = some / all
  const { low, high } = wilson(share, all)
  if (share < least || share > most) return 'MISSED'
  return low >= least && high <= most ? 'met, proven' : 'met'
}

/** A Markdown table of rows that share their columns. */
export const shown = (title: string, rows: readonly Figure[]): string => {
  const columns = [...new Set(rows.flatMap(row => Object.keys(row)))]
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
  return [
    `\n**${title}**\n`,
    line(columns),
    line(columns.map(() => '---')),
    ...rows.map(row => line(columns.map(column => row[column] ?? ''))),
  ].join('\n')
}

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
