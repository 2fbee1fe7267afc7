import { Compile } from 'typebox/compile'
import { findTarget } from '../measurement/catalogue.ts'
import { outcome } from '../measurement/judge/outcome.ts'
import { Measurement } from '../measurement/measurement.ts'
import { type Batch, MAX_BATCH_MEASUREMENTS, MAX_REPORT_NETWORKS } from '../measurement/report.ts'
import { firstFault } from './fault.ts'

/** A batch that cannot be stored: whole, finally, and with the line and field at fault (`reason` is for its agent). */
export class Refusal extends Error {
  override name = 'Refusal'
}

/**
 * Most calendar months the clocks of one batch may span: each is a partition of the store, and no spool is older than
 * a year; beyond it a device's clock is not wrong but made up.
 */
const MOST_MONTHS = 14

const valid = Compile(Measurement)

const linesOf = (text: string): string[] => {
  const found = text.split('\n')
  if (found.at(-1) === '') found.pop()
  if (found.length === 0) throw new Refusal('/bytes must hold at least one measurement')
  if (found.length > MAX_BATCH_MEASUREMENTS) {
    throw new Refusal(`/bytes must hold at most ${MAX_BATCH_MEASUREMENTS} measurements`)
  }
  return found
}

const parse = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    throw new Refusal('must be JSON')
  }
}

/** A dotted quad where a version or a fingerprint's id belongs: somebody's address, which is never kept. */
const holdsAddress = (text: string): boolean => /\d{1,3}(\.\d{1,3}){3}/.test(text)

/** Whether a measurement agrees with the catalogue, with its own steps and with its batch; else what is wrong. */
const disagreement = (found: Measurement, batch: Pick<Batch, 'first' | 'last'>): string | null => {
  const known = findTarget(found.target)
  if (!known) return '/target must be in the catalogue'
  if (known.app !== found.app) return `/app must be ${known.app}, the target's`
  for (const field of ['feature', 'kind', 'family'] as const) {
    if (found[field] !== known.target[field]) return `/${field} must be ${known.target[field]}, the target's`
  }
  if (found.pair && found.kind !== 'transfer') return '/pair must be absent: only transfers are paired'
  const judged = outcome(found.kind, found.steps)
  if (judged.failure !== found.failure) return `/failure must be ${judged.failure}, as the steps say`
  if (found.sequence < batch.first || found.sequence > batch.last) {
    return `/sequence must be from ${batch.first} to ${batch.last}, as the batch says`
  }
  if (holdsAddress(found.software)) return '/software must not hold an address'
  const marked = found.steps.findIndex(step => step.mark !== undefined && holdsAddress(step.mark))
  return marked < 0 ? null : `/steps/${marked}/mark must not hold an address`
}

const monthOf = (at: number): number => new Date(at * 1000).getUTCFullYear() * 12 + new Date(at * 1000).getUTCMonth()

/**
 * The measurements of a batch, every one valid, or a Refusal that names line and field. `text` is what the batch holds,
 * once unsealed. `networks` are those of the report's other batches, and get this one's. `place` may throw a Refusal too;
 * its result stands beside each measurement.
 */
export const openBatch = <T>(
  batch: Omit<Batch, 'bytes' | 'encoding'>,
  text: string,
  networks: Set<string>,
  place: (found: Measurement) => T,
): { found: Measurement; placed: T }[] => {
  const months = new Set<number>()
  const named = new Set(networks)
  const opened = linesOf(text).map((line, at) => {
    try {
      const found = parse(line)
      if (!valid.Check(found)) {
        const { field, must } = firstFault(valid.Errors(found))
        throw new Refusal(`${field} ${must}`.trim())
      }
      const wrong = disagreement(found, batch)
      if (wrong) throw new Refusal(wrong)
      if (months.add(monthOf(found.at)).size > MOST_MONTHS) {
        throw new Refusal(`/at must be within ${MOST_MONTHS} months of the others in the batch`)
      }
      // Each costs the analyst queries, and a key may claim any.
      if (named.add(`${found.country} ${found.asn}`).size > MAX_REPORT_NETWORKS) {
        throw new Refusal(`/asn must be one of at most ${MAX_REPORT_NETWORKS} networks in one report`)
      }
      return { found, placed: place(found) }
    } catch (error) {
      throw error instanceof Refusal ? new Refusal(`line ${at + 1}: ${error.message}`) : error
    }
  })
  for (const network of named) networks.add(network)
  return opened
}
