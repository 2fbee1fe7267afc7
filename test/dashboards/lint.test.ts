/**
 * The rules of grafana/dashboard-linter that apply to boards over Prometheus, and the house rules beyond them. Left out,
 * on purpose: its job and instance rules (our series are about places, not scrape targets) and Loki's.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parser } from '@prometheus-io/lezer-promql'
import { describe, expect, test } from 'vitest'
import { boards } from '../../dashboards/boards/boards.ts'
import { MAX_LAYER_BYTES } from '../../dashboards/event-queries.ts'
import { uids } from '../../dashboards/links.ts'
import type { Panel } from '../../dashboards/panel.ts'
import { settingsFrom } from '../../dashboards/render.ts'
import { loadEvents } from '../../events/load.ts'
import { looks } from '../../measurement/look.ts'
import { metrics } from '../../measurement/metrics.ts'
import { verdicts } from '../../measurement/verdict.ts'

const events = loadEvents()
const all = boards({ ...settingsFrom({}), events })

/** Panel types for which dashboard-linter wants title, description, unit and targets. */
const charted = ['stat', 'timeseries', 'table', 'bargauge', 'state-timeline', 'heatmap']
const units = ['percentunit', 's', 'Bps', 'bytes', 'short', 'none', 'ops', 'dateTimeAsIso', 'dateTimeFromNow']

/** As Grafana would put them; any text of the right kind will do for a parser. */
const substituted = (expr: string) =>
  expr
    .replaceAll(/\$__(rate_interval|interval|range)\b/g, '5m')
    .replaceAll('$__interval_ms', '300000')
    .replaceAll('$span', '7d')
    .replaceAll('$start', '1700000000')
    .replaceAll(/\$\{?[a-z_]+\}?/g, 'x')

function syntaxErrors(expr: string): string[] {
  const text = substituted(expr)
  const errors: string[] = []
  parser.parse(text).iterate({
    enter: node => {
      if (node.type.isError) errors.push(`${text.slice(Math.max(0, node.from - 30), node.to + 30)} at ${node.from}`)
    },
  })
  return errors
}

test('the parser finds a fault, so its silence means something', () => {
  expect(syntaxErrors('sum by (app) (rate(x[5m])')).not.toEqual([])
})

test('uids are stable, unique, and those that links name', () => {
  expect(all.map(({ uid }) => uid)).toEqual([
    uids.overview,
    uids.app,
    uids.network,
    uids.throttling,
    uids.event,
    uids.fleet,
    uids.pipeline,
  ])
})

describe.each(all.map(board => [board.uid, board] as const))('%s', (_, board) => {
  const panels = board.panels.filter((panel): panel is Panel => panel.type !== 'row')
  const drawn = panels.filter(({ type }) => type !== 'text')
  const targets = drawn.flatMap(panel => (panel.targets ?? []).map(target => ({ ...target, title: panel.title })))
  const layers = board.annotations.list.filter(({ target }) => target)

  test('template-datasource, uneditable-dashboard, template-on-time-change-reload', () => {
    expect(board.editable).toBe(false)
    const [source, ...more] = board.templating.list.filter(({ type }) => type === 'datasource')
    expect(more).toEqual([])
    expect(source).toMatchObject({ name: 'datasource', label: 'Data source', query: 'prometheus' })
    for (const variable of board.templating.list.filter(({ type }) => type === 'query'))
      expect(variable.refresh, variable.name).toBe(2)
  })

  test('template-label-promql: variables ask valid PromQL', () => {
    for (const { type, query, name } of board.templating.list) {
      if (type !== 'query') continue
      const text = (query as { query: string }).query
      const inner = /^label_values\((.+), \w+\)$/s.exec(text)?.[1] ?? /^query_result\((.+)\)$/s.exec(text)?.[1]
      expect(inner, name).toBeDefined()
      expect(syntaxErrors(inner!), name).toEqual([])
    }
  })

  test('panel-datasource, panel-title-description, panel-units, panel-no-targets; ids and legends', () => {
    const ids = board.panels.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const panel of panels) {
      expect(panel.title.length).toBeGreaterThan(0)
      expect(panel.description!.length).toBeGreaterThan(5)
      expect(panel.description).toMatch(/\.$/)
    }
    for (const panel of drawn) {
      expect(charted).toContain(panel.type)
      expect(panel.datasource?.uid, panel.title).toBe('$' + '{datasource}')
      expect(units, panel.title).toContain(panel.fieldConfig?.defaults.unit)
      expect(panel.targets?.length, panel.title).toBeGreaterThan(0)
      if (panel.type === 'timeseries' || panel.type === 'state-timeline') {
        expect(panel.options.legend.showLegend).toBe(true)
        for (const { legendFormat } of panel.targets!) expect(legendFormat).not.toBe('')
      }
    }
  })

  test('target-promql, target-rate-interval, target-counter-agg', () => {
    for (const { expr, title } of targets) {
      expect(syntaxErrors(expr), title).toEqual([])
      for (const [, counter] of expr.matchAll(/(\w+_total)\b/g))
        expect(expr, `${title}: ${counter}`).toMatch(new RegExp(`(rate|increase)\\(${counter}`))
      for (const [, span] of expr.matchAll(/\b(?:rate|irate)\([^[]+\[([^\]]+)\]/g))
        expect(span, title).toBe('$__rate_interval')
    }
  })

  test('no panel overlaps another or leaves the grid', () => {
    for (const { gridPos: a, title, id } of panels) {
      expect(a.x + a.w, title).toBeLessThanOrEqual(24)
      for (const { gridPos: b, id: other, title: its } of panels)
        if (other > id) {
          const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
          expect(apart, `${title} and ${its}`).toBe(true)
        }
    }
  })

  test('a load asks under 40 queries', () => {
    const enabled = layers.filter(({ enable }) => enable)
    const variables = board.templating.list.filter(({ type }) => type === 'query')
    expect(targets.length + enabled.length + variables.length).toBeLessThan(40)
  })

  test('policy events: every layer parses, fits the limit, is toggled by name, and holds no variable in a title', () => {
    expect(new Set(layers.map(({ name }) => name)).size).toBe(layers.length)
    expect(layers.length).toBeGreaterThan(10)
    for (const { name, target, tagKeys } of layers) {
      expect(syntaxErrors(target!.expr), name).toEqual([])
      expect(Buffer.byteLength(target!.expr), name).toBeLessThanOrEqual(MAX_LAYER_BYTES)
      expect(tagKeys).not.toContain(' ')
    }
  })

  test('links lead to boards that exist, with variables those boards have, and use columns the table has', () => {
    const urls = JSON.stringify(drawn.map(({ fieldConfig }) => fieldConfig)).matchAll(
      /"url":"([^"\\]*(?:\\.[^"\\]*)*)"/g,
    )
    for (const [, raw] of urls) {
      const url = JSON.parse(`"${raw}"`) as string
      const [, uid] = /^\/d\/([\w-]+)\?/.exec(url) ?? []
      if (uid === undefined) {
        expect(url.startsWith('$' + '{peyk}/v1/measurements?')).toBe(true)
        continue
      }
      const there = all.find(one => one.uid === uid)
      expect(there, url).toBeDefined()
      for (const [, name] of url.matchAll(/var-(\w+)=/g))
        expect(
          there!.templating.list.map(variable => variable.name),
          url,
        ).toContain(name)
    }
    for (const panel of drawn.filter(({ type }) => type === 'table')) {
      const heads = (panel.fieldConfig?.overrides ?? []).map(({ matcher }) => matcher.options)
      const text = JSON.stringify(panel.fieldConfig)
      for (const [, head] of text.matchAll(/__data\.fields\[\\\\?\\?"([^"\\]+)/g))
        if (heads.length > 0) expect(heads, panel.title).toContain(head)
    }
  })

  test('every variable a query or link uses exists', () => {
    const known = new Set(board.templating.list.map(({ name }) => name))
    const own = JSON.stringify([drawn, layers])
    for (const [, braced, bare] of own.matchAll(/\$\{(\w+)(?::\w+)?\}|\$([a-zA-Z_]\w*)/g)) {
      const name = braced ?? bare!
      if (!name.startsWith('__')) expect(known, name).toContain(name)
    }
  })
})

test('verdicts have the words and colours of the page, for rank and name, on every mapped panel', () => {
  const mapped = JSON.stringify(all).match(/"mappings":\[\{"type":"value","options":(\{.*?\}\})\}/g)!
  expect(mapped.length).toBeGreaterThan(5)
  const panel = all.flatMap(board => board.panels).find(({ title }) => title === 'Verdicts over time') as Panel
  const [mapping] = panel.fieldConfig!.defaults.mappings as {
    options: Record<string, { text: string; color: string }>
  }[]
  verdicts.forEach((verdict, rank) => {
    for (const key of [verdict, String(rank)]) {
      expect(mapping!.options[key]!.text).toBe(`${looks[verdict].shape} ${looks[verdict].word}`)
      expect(mapping!.options[key]!.color).toBe(looks[verdict].dark)
    }
  })
})

test('every event that is drawn as a line is a point of some layer, every region a span', () => {
  const layers = all[0]!.annotations.list.filter(({ target }) => target)
  const text = layers.map(({ target }) => target!.expr).join('\n')
  for (const event of events) expect(text.includes(`|${event.id}"`), event.id).toBe(!event.tags?.includes('withdrawn'))
})

test('every metric of the server is on some board or in some rule', () => {
  const dist = join(import.meta.dirname, '../../dashboards/dist')
  const text =
    JSON.stringify(all) +
    readFileSync(join(dist, 'alerts.yaml'), 'utf8') +
    readFileSync(join(dist, 'rules.yaml'), 'utf8')
  const unused = Object.keys(metrics).filter(name => !text.includes(name))
  expect(unused).toEqual([])
})
