/** The one place for the lengths of windows, in seconds (DESIGN §3). */

/** Rollups and verdicts are made for every such span. */
export const ROLLUP_SECONDS = 300
/** A verdict looks back this far for each agent's latest result per target. */
export const VERDICT_LOOKBACK_SECONDS = 3_600
/** The detector's bin (reference detection.md §5.4). */
export const DETECTOR_BIN_SECONDS = 900
/** Levels of public rollups. */
export const rollupLevels = [ROLLUP_SECONDS, 3_600, 86_400] as const
export type RollupLevel = (typeof rollupLevels)[number]

/** Start of the span of `length` seconds that holds `at` (Unix seconds); spans are aligned to the epoch, so days are UTC days. */
export const windowStart = (at: number, length: number = ROLLUP_SECONDS): number => Math.floor(at / length) * length

const stepNames: Record<string, RollupLevel> = { '5m': 300, '1h': 3_600, '1d': 86_400 }

/** Rollup level of the API's `step`. */
export const levelOf = (step: string): RollupLevel | undefined => stepNames[step]
export const steps = Object.keys(stepNames)
