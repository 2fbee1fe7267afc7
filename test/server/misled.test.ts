import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findTarget } from '../../measurement/catalogue.ts'
import type { Stored } from '../../measurement/measurement.ts'
import { deepest } from '../../measurement/step.ts'
import { judgeTouched } from '../../server/analysis/verdicts.ts'
import { agentWindows } from '../../server/rollup.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { toRow } from '../../server/store/rows.ts'
import { migrate } from '../../server/store/schema.ts'
import { type Touched, touch } from '../../server/touched.ts'
import { stored } from './store-contract.ts'

/** Rows of three agents on one network: WhatsApp times out, and their resolvers' answers are false, or are not. */
const rowsOf = (asn: number, at: number, forged: boolean): Stored[] =>
  ['a', 'b', 'c'].flatMap((agent, index) =>
    ['whatsapp.chat.v4', 'whatsapp.g.443.noise', 'whatsapp.g.5222.noise', 'whatsapp.web.whatsapp.com.dns-system'].map(
      (id, number) => {
        const { target } = findTarget(id)!
        const dns = target.kind === 'dns'
        const failure = dns ? (forged ? 'dns_inconsistent' : null) : 'generic_timeout_error'
        const step = { start: 0, duration: 0.1, sent: 0, received: 0, failure } as const
        return stored({
          ...{ id: `01890000-0000-7000-8000-${asn}00000${index}${number}`.padEnd(36, '0'), agent, asn, seen_asn: asn },
          ...{ app: 'whatsapp', feature: target.feature, target: id, kind: target.kind, at, arrived: at + 5, failure },
          steps: [{ ...step, operation: dns ? deepest.dns : 'connect' }],
        })
      },
    ),
  )

test('an app that fails in any way where resolvers lead astray is blocked at the layer dns, by injection', async () => {
  await using store = await opened()
  const at = 1_700_000_400
  const touched: Touched = new Map()
  for (const [asn, forged] of [
    [11111, true],
    [22222, false],
  ] as const) {
    await store.insert('measurements_raw', rowsOf(asn, at, forged).map(toRow))
    touch(touched, 'KE', asn, at)
  }
  await agentWindows(store, touched)
  await judgeTouched(store, touched, at + 60)
  const told = await store.query(
    'SELECT asn, verdict, layer, mechanism FROM verdicts FINAL WHERE asn != 0 AND app = {app:String} ORDER BY asn',
    { app: 'whatsapp' },
  )
  expect(told).toEqual([
    { asn: 11111, verdict: 'blocked', layer: 'dns', mechanism: 'injection' },
    { asn: 22222, verdict: 'blocked', layer: 'tcp', mechanism: 'drop' },
  ])
})

const opened = async () => {
  const store = await openEmbedded(mkdtempSync(join(tmpdir(), 'peyk-')))
  await migrate(store)
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() })
}
