import { randomUUID } from 'node:crypto'
import type { Unnumbered } from '../../probes/agent/spool.ts'

/** A measurement as agents make them. */
export const sampleOf = (): Unnumbered => ({
  id: randomUUID(),
  boot: '0123456789abcdef',
  mono: 12.5,
  app: 'telegram',
  feature: 'text',
  target: 'telegram.dc1.v4.443.mtproto',
  kind: 'mtproto',
  family: 'v4',
  route: 'direct',
  country: 'KE',
  asn: 33_771,
  access: 'wifi',
  at: 1_790_000_000,
  steps: [{ operation: 'connect', start: 0, duration: 0.1, sent: 0, received: 0, failure: null }],
  failure: null,
  served: { asn: 0, country: 'ZZ', rtt_floor: 0.1, dc: '1' },
  origin_proof: 'key',
  marks: [],
  software: 'peyk/0.1.0',
  catalogue: 1,
})
