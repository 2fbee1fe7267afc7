import { median } from '../../measurement/judge/statistics.ts'

/**
 * What is usual of a number over the past week: median and spread, robust to half of it being otherwise. Learned in
 * blocks of six hours, so that a series costs 28 blocks and not 672 bins; the newest complete block does not count yet
 * (reference detection.md §5.4: seven days, lag of two hours at least, two days at least).
 */
export type Usual = {
  block: number
  /** Values of the block under way. */
  values: number[]
  /** Index, median, and median distance from what was usual, of each block; oldest first, flat to be kept cheaply. */
  blocks: number[]
  /** Null until two days are known. */
  centre: number | null
  /** Robust standard deviation. */
  spread: number
}

const BLOCK_SECONDS = 6 * 3_600
const KEPT_BLOCKS = 28
const LEAST_BLOCKS = 8
/** Median distance to standard deviation, for normal noise. */
export const MAD_TO_DEVIATION = 1.4826

export const nothingUsual = (): Usual => ({ block: -1, values: [], blocks: [], centre: null, spread: 0 })

export const learn = (usual: Usual, at: number, value: number): void => {
  const block = Math.floor(at / BLOCK_SECONDS)
  if (block !== usual.block) {
    if (usual.values.length > 0) complete(usual, block)
    usual.block = block
  }
  usual.values.push(value)
}

/** Forget what was learned from `at` on: it belongs to trouble that was not known yet. */
export const forget = (usual: Usual, at: number): void => {
  const block = Math.floor(at / BLOCK_SECONDS)
  while (usual.blocks.length > 0 && usual.blocks.at(-3)! >= block) usual.blocks.length -= 3
  if (usual.block >= block) usual.values = []
}

const complete = (usual: Usual, now: number): void => {
  const { blocks } = usual
  const centre = median(usual.values)
  const usually = usual.centre ?? centre
  blocks.push(usual.block, centre, median(usual.values.map(value => Math.abs(value - usually))))
  usual.values = []
  let old = 0
  while (old < blocks.length && blocks[old]! < now - KEPT_BLOCKS) old += 3
  blocks.splice(0, old)
  const known = blocks.length - 3
  if (known <= 0 || (usual.centre === null && now - blocks[0]! < LEAST_BLOCKS)) return
  const centres: number[] = []
  const distances: number[] = []
  for (let i = 0; i < known; i += 3) {
    centres.push(blocks[i + 1]!)
    distances.push(blocks[i + 2]!)
  }
  usual.centre = median(centres)
  usual.spread = MAD_TO_DEVIATION * median(distances)
}
