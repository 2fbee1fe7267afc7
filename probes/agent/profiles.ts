/** How often and how much an agent measures. */
export type Profile = {
  /** Seconds from the start of one round to the next, on average and where the budget allows. */
  round: number
  /** The same for reports. */
  report: number
  /** Seconds between two measurements of a target that is measured in full, at best. */
  deciding: number
  /** The same at worst: as many apps are measured in full as the budget allows at this pace. */
  within: number
  /** Seconds between two measurements of every other target, at best: diagnosis, experimental ones, more apps. */
  other: number
  /** Bytes on the wire in any 24 hours, reports included. */
  bytesPerDay: number
  /** Measurements at the same time, each on another address. */
  concurrency: number
}

/**
 * Reference detection.md §5.1 (tiers T0 and T1, caps). Verdicts look back 60 minutes, for metered agents three hours
 * (`measurement/windows.ts`): nearly every target measured in full has a result within that, of metered agents every second.
 */
export const profiles = {
  home: { round: 300, report: 900, deciding: 900, within: 4_500, other: 3_600, bytesPerDay: 12e6, concurrency: 4 },
  metered: {
    round: 900,
    report: 3_600,
    deciding: 3_600,
    within: 21_600,
    other: 21_600,
    bytesPerDay: 1.5e6,
    concurrency: 2,
  },
  control: { round: 300, report: 300, deciding: 300, within: 900, other: 900, bytesPerDay: 200e6, concurrency: 8 },
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof profiles
