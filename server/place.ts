import type { Mark, Measurement } from '../measurement/measurement.ts'
import type { Report } from '../measurement/report.ts'
import { Refusal } from './batch.ts'

/** A measurement may lie this far ahead of its arrival: what clocks and roundings explain, no more. */
const MOST_AHEAD_SECONDS = 600
/** A spool holds weeks; a correction that would place a row further back is not believed. */
const SPOOL_SECONDS = 60 * 86_400
/** Clocks that agree within this are the same clock, so what it said before this boot is corrected too. */
const SAME_CLOCK_SECONDS = 86_400
/** Two readings of one boot's clock may cross by this much on their way into the report. */
const MONO_SLACK_SECONDS = 2

/** Where in true time a measurement lies: `at + offset`. */
export type Placed = { offset: number; marks: Mark[] }

const uncertain = (found: Measurement, offset: number): Placed => ({
  offset,
  marks: [...new Set<Mark>([...found.marks, 'time_uncertain'])],
})

/**
 * Place a measurement in true time (DESIGN §4, two clocks): by the monotonic clock where it was measured in the boot
 * that reports; otherwise by the agent's wall clock, corrected by what that is off now, and marked `time_uncertain`.
 * `sent` is null where a file was carried here by hand, since nobody knows how long that took: the agent's wall clock is then taken as it is.
 * `arrived` is the server's clock, `retention` seconds or null. Refused is only what cannot lie where it says.
 */
export const place = (
  found: Measurement,
  sent: Report['sent'] | null,
  arrived: number,
  retention: number | null,
): Placed => {
  const placed = sent === null ? uncertain(found, 0) : byClocks(found, sent, arrived)
  const at = found.at + placed.offset
  if (at > arrived + MOST_AHEAD_SECONDS) {
    throw new Refusal(`/at must not lie more than ${MOST_AHEAD_SECONDS} s in the future: set the clock of this device`)
  }
  if (retention !== null && at < arrived - retention) {
    throw new Refusal(`/at must be within the ${Math.round(retention / 86_400)} days that this server keeps`)
  }
  return placed
}

const byClocks = (found: Measurement, sent: Report['sent'], arrived: number): Placed =>
  found.boot === sent.boot ? byMono(found, sent, arrived) : byWall(found, sent, arrived)

const byMono = (found: Measurement, sent: Report['sent'], arrived: number): Placed => {
  const age = sent.mono - found.mono
  if (age < -MONO_SLACK_SECONDS) throw new Refusal('/mono must not be after the mono of the report')
  return { offset: arrived - Math.max(0, age) - found.at, marks: [...found.marks] }
}

const byWall = (found: Measurement, sent: Report['sent'], arrived: number): Placed => {
  const off = arrived - sent.wall
  if (Math.abs(off) <= SAME_CLOCK_SECONDS) return uncertain(found, off)
  // The clock is far off now. It may have been so then (a wrong date that stays) or not (no clock until the network came).
  const corrected = found.at + off
  const plausible = corrected <= arrived && corrected > arrived - SPOOL_SECONDS
  return uncertain(found, plausible ? off : 0)
}
