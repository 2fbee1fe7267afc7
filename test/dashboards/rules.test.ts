/** Every rule by promtool's own unit tests: when it fires, when it does not, and what it says. */
import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import type { AlertRule } from '../../dashboards/alerts.ts'
import { OUR_REFUSALS, type RuleGroup, ruleGroups } from '../../dashboards/rules.ts'
import { loadEvents } from '../../events/load.ts'
import { problems } from '../../server/problem.ts'
import { promtoolPath, run, scratch } from '../servers/prometheus.ts'
import { type Case, cases } from './alert-cases.ts'

const root = join(import.meta.dirname, '../..')
const dist = join(root, 'dashboards/dist')
const alertsText = await readFile(join(dist, 'alerts.yaml'), 'utf8')
const groups = (parse(alertsText) as { groups: { name: string; rules: AlertRule[] }[] }).groups
const alerts = groups.flatMap(({ rules }) => rules)
const names = [...new Set(alerts.map(({ alert }) => alert))]

describe.skipIf(promtoolPath === null)(
  `rules by promtool${promtoolPath ? '' : ' (skipped: promtool is not installed)'}`,
  () => {
    test.each(names)('%s fires when it must, and only then', async name => {
      await using folder = await scratch('rules')
      // Only the rules in question, and conditions and labels only: texts are compared as a whole below and end to end.
      const own = groups.map(group => ({
        name: group.name,
        rules: group.rules.filter(({ alert }) => alert === name).map(bare),
      }))
      await writeFile(
        join(folder.path, 'alerts.yaml'),
        stringify({ groups: own.filter(({ rules }) => rules.length > 0) }),
      )
      const recordings = ruleGroups([]).filter(({ rules }) => rules.length > 0)
      await writeFile(
        join(folder.path, 'rules.yaml'),
        stringify({ groups: recordings.map(({ interval: _, ...rest }) => rest) }),
      )
      for (const every of ['1m', '5m'] as const) {
        const those = cases.filter(one => one.alert === name && (one.every ?? '1m') === every)
        if (those.length === 0) continue
        await writeFile(join(folder.path, 'test.yaml'), stringify(unitTest(those, undefined, every)))
        expect(run(promtoolPath!, ['test', 'rules', 'test.yaml'], folder.path)).toContain('SUCCESS')
      }
    })

    test('a block says which networks, since when, on whose word, beside which controls and events', async () => {
      await using folder = await scratch('rules')
      await writeFile(join(folder.path, 'alerts.yaml'), alertsText)
      await writeFile(join(folder.path, 'rules.yaml'), await readFile(join(dist, 'rules.yaml'), 'utf8'))
      const block = cases.find(({ name }) => name.startsWith('MessengerBlocked: two networks'))!
      const labels = block.fires!
      const annotations = {
        summary: 'A messenger is blocked.',
        summary_fa: 'یک پیام‌رسان مسدود است.',
        description: 'telegram (text) in KE: blocked on 2 network(s), at the layer tcp.',
        networks: 'AS12455, AS33771',
        since: '2023-11-09 06:00:00 +0000 UTC',
        agents: '85',
        control: 'domestic 100%, foreign 98%',
        events: 'ke-2023-11-08-telegram-exam-block',
        deadlines: 'none near',
        dashboard_url: 'http://127.0.0.1:3000/d/peyk-app?var-app=telegram&var-country=KE&var-feature=text',
        runbook_url: 'docs/runbooks/MessengerBlocked.md',
      }
      await writeFile(
        join(folder.path, 'test.yaml'),
        stringify(unitTest([block], [{ exp_labels: labels[0]!, exp_annotations: annotations }])),
      )
      expect(run(promtoolPath!, ['test', 'rules', 'test.yaml'], folder.path)).toContain('SUCCESS')
    })

    test('a test that expects the wrong thing fails, so the tests above can', async () => {
      await using folder = await scratch('rules')
      await writeFile(join(folder.path, 'alerts.yaml'), alertsText)
      await writeFile(join(folder.path, 'rules.yaml'), await readFile(join(dist, 'rules.yaml'), 'utf8'))
      const block = cases.find(({ fires }) => fires && fires.length > 0)!
      await writeFile(join(folder.path, 'test.yaml'), stringify(unitTest([{ ...block, fires: [] }])))
      expect(() => run(promtoolPath!, ['test', 'rules', 'test.yaml'], folder.path)).toThrow('FAILED')
    })

    test('recordings: burn rates, ledger, deadlines', async () => {
      await using folder = await scratch('rules')
      await writeFile(join(folder.path, 'rules.yaml'), await readFile(join(dist, 'rules.yaml'), 'utf8'))
      const file = {
        rule_files: ['rules.yaml'],
        evaluation_interval: '1m',
        tests: [
          {
            interval: '1m',
            input_series: [
              { series: 'peyk_reports_total{outcome="receipted"}', values: '0+90x400' },
              { series: 'peyk_refused_total{reason="busy"}', values: '0+10x400' },
              { series: 'peyk_refused_total{reason="bad-request"}', values: '0+1000x400' },
              { series: 'peyk_store_insert_duration_seconds_count', values: '0+10x400' },
              { series: 'peyk_ledger_measurements_total{entry="measured"}', values: '0+100x400' },
              { series: 'peyk_ledger_measurements_total{entry="delivered"}', values: '0+80x400' },
              { series: 'peyk_agents_active{country="KE",asn="1"}', values: '4x400' },
              { series: 'peyk_agents_active{country="KE",asn="2"}', values: '5x400' },
            ],
            promql_expr_test: [
              recorded('peyk:reports_failed:ratio_rate5m', 0.1),
              recorded('peyk:reports_failed:ratio_rate6h', 0.1),
              // No failure yet is none, not unknown.
              recorded('peyk:store_failures:ratio_rate1h', 0),
              recorded('peyk:ledger_missing:ratio_rate6h', 0.2),
              recorded('country:peyk_agents_active:sum', 9, '{country="KE"}'),
              {
                expr: 'peyk:policy_event_deadline:timestamp_seconds{event="vn-2025-05-21-telegram-block-order"} - 1748800000',
                eval_time: '6h',
                exp_samples: [
                  {
                    // The last instant of the day named.
                    labels: '{event="vn-2025-05-21-telegram-block-order", country="VN", app="telegram"}',
                    value: Date.parse('2025-06-03T00:00:00Z') / 1000 - 1748800000,
                  },
                ],
              },
            ],
          },
        ],
      }
      await writeFile(join(folder.path, 'test.yaml'), stringify(file))
      expect(run(promtoolPath!, ['test', 'rules', 'test.yaml'], folder.path)).toContain('SUCCESS')
    })
  },
)

const recorded = (record: string, value: number, labels = '') => ({
  expr: `round(${record}, 0.000001)`,
  eval_time: '6h30m',
  exp_samples: [{ labels, value }],
})

const bare = ({ annotations: _, ...rule }: AlertRule) => rule

const unitTest = (own: readonly Case[], expected?: object[], every: '1m' | '5m' = '1m') => ({
  rule_files: ['rules.yaml', 'alerts.yaml'],
  evaluation_interval: every,
  // Else alerts of a step would read recordings of the step before, which Prometheus 3 no longer sees from its end.
  group_eval_order: ['peyk-burn-rates', 'peyk-fleet', 'peyk-messengers', 'peyk-itself'],
  tests: own.map(({ alert, input, at, fires }) => ({
    interval: every,
    input_series: Object.entries(input).map(([series, values]) => ({ series, values })),
    alert_rule_test: [
      { eval_time: at, alertname: alert, exp_alerts: expected ?? fires?.map(labels => ({ exp_labels: labels })) ?? [] },
    ],
  })),
})

test('every alert has a case in which it fires and one in which it does not', () => {
  for (const name of names) {
    const own = cases.filter(({ alert }) => alert === name)
    expect(
      own.some(({ fires }) => fires && fires.length > 0),
      `${name} fires`,
    ).toBe(true)
    if (name !== 'PeykWatchdog')
      expect(
        own.some(({ fires }) => !fires),
        `${name} stays quiet`,
      ).toBe(true)
  }
})

test.each(names)('%s has a runbook: meaning, impact, diagnosis, mitigation', async name => {
  const path = join(root, 'docs/runbooks', `${name}.md`)
  await access(path)
  const text = await readFile(path, 'utf8')
  expect(text.startsWith(`# ${name}\n`)).toBe(true)
  const heads = [...text.matchAll(/^## (.+)$/gm)].map(([, head]) => head)
  expect(heads).toEqual(['Meaning', 'Impact', 'Diagnosis', 'Mitigation'])
  for (const part of text.split(/^## .+$/m).slice(1)) expect(part.trim().length).toBeGreaterThan(40)
})

test('alerts follow the mixins: severity, summary without templates, description, links', () => {
  for (const { alert, labels, annotations } of alerts) {
    expect(alert).toMatch(/^[A-Z][A-Za-z]+$/)
    expect(['critical', 'warning', 'info']).toContain(labels['severity'])
    expect(['messengers', 'peyk']).toContain(labels['about'])
    for (const name of ['summary', 'summary_fa', 'description', 'dashboard_url', 'runbook_url'])
      expect(annotations[name], `${alert} ${name}`).toBeTruthy()
    expect(annotations['summary']).not.toContain('{{')
  }
})

test('recording names are level:metric:operations', () => {
  const rules = (ruleGroups(loadEvents()) as RuleGroup[]).flatMap(group => group.rules)
  for (const { record } of rules) expect(record).toMatch(/^[a-z_]+:[a-z_]+:[a-z0-9_]+$/)
})

test('refusals counted as our own are reasons the server gives', () => {
  for (const reason of OUR_REFUSALS) expect(Object.keys(problems)).toContain(reason)
})
