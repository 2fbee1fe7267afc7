/**
 * Every number by which a board colours and an alert fires, with its reason. The detector's own numbers are not here:
 * boards and alerts repeat its verdicts, they do not judge (docs/method.md).
 */
import type { Verdict } from '../measurement/verdict.ts'

/** Colour of a value from a bound on, in the look of a verdict. The first bound is minus infinity. */
export type Steps = readonly (readonly [from: number | null, look: Verdict])[]

/** Colours for reading only; no alert depends on them. */
export const colours = {
  /** Every deciding endpoint answers; some do not; none does. Single lost runs keep a median over agents above 0.9. */
  reachability: [
    [null, 'blocked'],
    [0.1, 'partial'],
    [0.9, 'ok'],
  ],
  /** Goodput against its pair. Below 0.67 is the paired test's factor of 1.5 (detection.md §5.3), 0.25 a hard policer. */
  ratio: [
    [null, 'blocked'],
    [0.25, 'throttled'],
    [0.67, 'ok'],
  ],
  /** Times its own baseline: the smallest shift the detector looks for is 1.5 (detection.md §5.4). */
  shift: [
    [null, 'ok'],
    [1.5, 'slow'],
    [3, 'throttled'],
  ],
  /** Any open degradation is worth a look. */
  degradations: [
    [null, 'ok'],
    [1, 'blocked'],
  ],
  /** A verdict needs 3 agents to be public at all, 10 to be confirmed by number alone (DESIGN §3). */
  agents: [
    [null, 'insufficient'],
    [3, 'slow'],
    [10, 'ok'],
  ],
  /** Seconds behind; the same bounds as the alerts on lag below. */
  lag: [
    [null, 'ok'],
    [900, 'slow'],
    [1800, 'blocked'],
  ],
  /** Event loop delay in seconds: 20 ms is the goal of /metrics (issue: a server that holds), 250 ms is felt. */
  delay: [
    [null, 'ok'],
    [0.02, 'slow'],
    [0.25, 'blocked'],
  ],
  /** Share lost or failed: the burn rates' objective is 0.001, and one in a hundred is a fault. */
  loss: [
    [null, 'ok'],
    [0.001, 'slow'],
    [0.01, 'blocked'],
  ],
  /** Where a number is no judgement. */
  none: [[null, 'ok']],
} as const satisfies Record<string, Steps>

export type Colour = keyof typeof colours

/** Fall of reachability from before to after an event from which a network counts as affected; single lost endpoints of
 * five or six stay below. For reading: whether it was the event is the server's to say (`/v1/events/:id/effect`). */
export const AFFECTED = 0.2

/** Objective of ingest and store: 999 in 1,000 operations succeed over 30 days. Below it a fleet's retries pile up. */
export const OBJECTIVE = 0.999

/**
 * Burn rates (Google SRE workbook, chapter 5): `factor` times the budget spent, over a long and a short span, so that an
 * alert comes early, stays while it burns and ends soon after. 14.4 spends 2 % of 30 days in an hour, 6 spends 5 % in 6 h.
 */
export const burns = [
  { long: '1h', short: '5m', factor: 14.4, severity: 'critical', hold: '2m' },
  { long: '6h', short: '30m', factor: 6, severity: 'warning', hold: '15m' },
] as const

/** Bounds of alerts on Peyk itself. */
export const limits = {
  /** Networks with fewer agents fall silent by chance: one laptop that sleeps. */
  silentFrom: 5,
  /** Agents gone: under a fifth of the most seen in the last day. Nights halve fleets, they do not take four fifths. */
  silentShare: 0.2,
  silentSpan: '1d',
  silentHold: '30m',
  /** The fleet as a whole: a bad release or an expired certificate shows as half of it gone within a day. */
  fleetShare: 0.5,
  fleetFrom: 10,
  /** Measurements made and neither delivered nor declared dropped, over 6 hours: offline agents explain a few per cent. */
  ledgerMissing: 0.05,
  /** The detector waits 30 minutes for late rows (detection.md §5.7); twice that is a stall. */
  detectorLag: 3_600,
  /** Rollups are made every 5 minutes; six missed rounds are a stall. */
  rollupLag: 1_800,
  /** 99 of 100 receipts within a second is the goal (issue: a server that holds); agents time out much later. */
  acceptSeconds: 1,
  /** Samples refused or failed in 15 minutes. Too old ones are split off and are no failure. */
  remoteWriteFailures: 0,
  /** Announced networks move; Team Cymru and libloc publish weekly (DESIGN §2: warn from 60 days). */
  asnDatabaseDays: 60,
  /** A scrape lost is noise, five minutes without one are not. */
  downFor: '5m',
  /** A restart of the server must neither resolve nor repeat a page. */
  keepFiring: '15m',
} as const
