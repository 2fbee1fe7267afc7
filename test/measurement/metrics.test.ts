import { expect, test } from 'vitest'
import { type Metric, metrics, SERIES_BUDGET } from '../../measurement/metrics.ts'

const families: [string, Metric][] = Object.entries(metrics)

test('caps of what the server can export sum to the budget at most', () => {
  const total = families.filter(([, metric]) => metric.on !== 'agent').reduce((sum, [, metric]) => sum + metric.cap, 0)
  expect(total).toBeLessThanOrEqual(SERIES_BUDGET)
})

test('names follow Prometheus’ rules: prefix, unit, _total on counters only', () => {
  for (const [name, metric] of families) {
    expect(name).toMatch(/^peyk_[a-z0-9_]+$/)
    expect(name.endsWith('_total'), name).toBe(metric.type === 'counter')
    expect(metric.help.endsWith('.'), name).toBe(true)
    if (metric.type === 'histogram') expect(metric.buckets?.length, name).toBeLessThanOrEqual(10)
  }
})

test('no label can hold a person, an address or text from the network', () => {
  const labels = new Set(families.flatMap(([, metric]) => metric.labels))
  for (const forbidden of ['agent', 'address', 'ip', 'host', 'instance', 'job', 'target', 'error', 'message']) {
    expect(labels.has(forbidden), forbidden).toBe(false)
  }
})
