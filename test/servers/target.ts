import { ordinary } from '../../measurement/apps/defaults.ts'
import type { ProbeKind } from '../../measurement/step.ts'
import type { Target, TargetOf } from '../../measurement/target.ts'

/** A target on loopback, of any kind. */
export const loopbackTarget = <K extends ProbeKind>(
  kind: K,
  port: number,
  ask: Extract<Target, { kind: K }>['ask'],
  more: Partial<TargetOf<K>> = {},
): TargetOf<K> =>
  ({
    ...ordinary,
    id: `test.${kind}`,
    feature: 'text',
    host: '127.0.0.1',
    port,
    address: 'loopback',
    timeout: 2,
    source: 'test',
    healthy: 'test',
    kind,
    ask,
    ...more,
  }) as TargetOf<K>
