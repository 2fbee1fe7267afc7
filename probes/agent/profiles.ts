type Pace = { every: number | null; bytes: number }

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
  /** Paired transfers, by stage: seconds between two tests of one, at best (null: only on request), and bytes of a day. */
  pairs: { shape: Pace; confirm: Pace }
}

/**
 * Reference detection.md §5.1 (tiers T0 and T1, caps). Verdicts look back 60 minutes, for metered agents three hours
 * (`measurement/windows.ts`): nearly every target measured in full has a result within that, of metered agents every second.
 * An agent of every app needs 100 minutes for all that decides: 3.5 of its 12 MB go to paired transfers, without which
 * nobody could say *throttled*. A test takes 1.6 MB at most and never what shape tests need: 1 MB a day is left.
 */
export const profiles = {
  home: {
    ...{ round: 300, report: 900, deciding: 900, within: 6_000, other: 3_600, bytesPerDay: 12e6, concurrency: 4 },
    pairs: { shape: { every: 7_200, bytes: 1e6 }, confirm: { every: 86_400, bytes: 2.5e6 } },
  },
  metered: {
    round: 900,
    report: 3_600,
    deciding: 3_600,
    within: 21_600,
    other: 21_600,
    bytesPerDay: 1.5e6,
    concurrency: 2,
    // One pair, when a server asks: the two of 256 KiB after it would take more than the day has.
    pairs: { shape: { every: null, bytes: 0 }, confirm: { every: null, bytes: 0.39e6 } },
  },
  control: {
    ...{ round: 300, report: 300, deciding: 300, within: 900, other: 900, bytesPerDay: 200e6, concurrency: 8 },
    pairs: { shape: { every: 3_600, bytes: 10e6 }, confirm: { every: 43_200, bytes: 20e6 } },
  },
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof profiles

/** Bytes of a day that are not for pairs. */
export const forRounds = ({ bytesPerDay, pairs }: Profile): number =>
  bytesPerDay - pairs.shape.bytes - pairs.confirm.bytes
