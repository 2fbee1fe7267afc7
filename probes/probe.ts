import type { Measurement } from '../measurement/measurement.ts'
import type { ProbeKind, Step } from '../measurement/step.ts'
import type { Target, TargetOf } from '../measurement/target.ts'
import type { Net } from './net/net.ts'

/**
 * A probe asks one target once. Its laws:
 * - It measures once: no retry, no happy eyeballs; the address family is the target's.
 * - It never throws for network trouble: `net` records a Step with its failure, and the probe returns. What it throws is a bug.
 * - Steps recorded before an abort survive it; after `signal` aborts it returns promptly and leaves no socket behind.
 * - It knows no server, no metric and no time of day, and reaches the network through `net` only, which checks the
 *   connected address against the target's rule and bounds time and bytes.
 * - Nothing it received leaves it but numbers, hashes and ids of known fingerprints (`measurement/step.ts`).
 */
export type Probe<K extends ProbeKind> = (target: TargetOf<K>, net: Net, signal: AbortSignal) => Promise<void>

/** What one run of a probe gave. `connected` serves to look up where the app was served from, and is then forgotten. */
export type Run = {
  steps: Step[]
  failure: string | null
  origin_proof: Measurement['origin_proof']
  /** Address that answered, for a look-up in this process only; never stored, logged or sent. */
  connected: string | null
  dc: string | null
  /** Bytes on sockets, for the budget. */
  sent: number
  received: number
  /** The event loop was busy when an answer came, or stalled, so that durations are not the network's. */
  stalled: boolean
}

/** How runs reach out and what they may touch. */
export type RunOptions = {
  signal?: AbortSignal
  /** Loopback targets are refused unless this is set (lab and tests). */
  loopback?: boolean
  /** Proxy to go through: `http://host:port` (CONNECT) or `socks5://host:port`. Absent: direct. */
  proxy?: URL
}

/** Runs the probe of the target's kind (`probes/all.ts`): never throws for network trouble, ends by the target's timeout. */
export type Measure = (target: Target, options?: RunOptions) => Promise<Run>
