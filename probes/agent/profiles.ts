/** How often and how much an agent measures. */
export type Profile = {
  /** Seconds from the start of one round to the next, on average and where the budget allows. */
  round: number
  /** The same for reports. */
  report: number
  /** Seconds between two measurements of a target that decides a verdict, at best. */
  deciding: number
  /** The same for the others: diagnosis, experimental ones, and apps of other countries. */
  other: number
  /** Bytes on the wire in any 24 hours, reports included. */
  bytesPerDay: number
  /** Measurements at the same time, each on another address. */
  concurrency: number
}

/**
 * Reference detection.md §5.1 (tiers T0 and T1, caps). Verdicts look back 60 minutes, for metered agents three hours,
 * so no round may wait longer (`measurement/windows.ts`).
 */
export const profiles = {
  home: { round: 300, report: 900, deciding: 900, other: 3_600, bytesPerDay: 12e6, concurrency: 4 },
  metered: { round: 900, report: 3_600, deciding: 3_600, other: 21_600, bytesPerDay: 1.5e6, concurrency: 2 },
  control: { round: 300, report: 300, deciding: 300, other: 900, bytesPerDay: 200e6, concurrency: 8 },
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof profiles
