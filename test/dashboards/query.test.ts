import { expect, test } from 'vitest'
import { target } from '../../dashboards/panel.ts'
import { against, derive, either, gauge, join, keep, max, over, RATE, rate, STEP, sum } from '../../dashboards/query.ts'

test('queries are the PromQL one would write', () => {
  expect(gauge('peyk_degraded', { app: '$app', state: 'confirmed' }).promql).toBe(
    'peyk_degraded{app="$app",state="confirmed"}',
  )
  expect(over('last', STEP, 'peyk_reachability_ratio', { asn: { not: '0' } }, 'offset 1d').promql).toBe(
    'last_over_time(peyk_reachability_ratio{asn!="0"}[$__interval] offset 1d)',
  )
  expect(sum(rate('peyk_late_total', RATE), ['app']).promql).toBe(
    'sum by (app) (rate(peyk_late_total[$__rate_interval]))',
  )
  const [a, b] = [max(gauge('peyk_agents_active'), ['asn']), max(gauge('peyk_verdict_rank'), ['asn'])]
  expect(join(a, '/', b, ['asn']).promql).toBe(
    '(max by (asn) (peyk_agents_active)) / on (asn) (max by (asn) (peyk_verdict_rank))',
  )
  expect(keep(a, 'unless', against(b, '>=', 2), ['asn']).promql).toContain('unless on (asn)')
  expect(either(a, b).promql).toContain(' or ')
  expect(gauge('peyk_verdict', { verdict: { any: ['slow', 'throttled'] } }).promql).toBe(
    'peyk_verdict{verdict=~"slow|throttled"}',
  )
})

test('what the table does not hold does not compile', () => {
  // tsc is the test of this one: an error that is expected and missing is an error.
  // @ts-expect-error no such metric
  gauge('peyk_reachability')
  // @ts-expect-error no such label
  gauge('peyk_reachability_ratio', { network: '1' })
  // @ts-expect-error no such value of a closed list
  gauge('peyk_degraded', { state: 'sure' })
  // @ts-expect-error a counter is not read as it stands
  gauge('peyk_late_total')
  // @ts-expect-error nothing to group by
  sum(gauge('peyk_agents_active'), ['app'])
  // @ts-expect-error the sum has lost this label
  max(sum(gauge('peyk_agents_active'), ['country']), ['asn'])
  // @ts-expect-error a legend names a label the answer has not
  target(sum(gauge('peyk_agents_active'), ['country']), ['asn'])
  // @ts-expect-error one side has not the label to join on
  join(sum(gauge('peyk_agents_active'), ['country']), '/', gauge('peyk_agents_active'), ['asn'])
  // @ts-expect-error nothing to derive from
  derive(sum(gauge('peyk_agents_active'), ['country']), 'layer', 'x', 'failure', '.*')
  // @ts-expect-error a gauge has no rate
  expect(() => rate('peyk_agents_active', RATE)).toThrow('no counter')
})
