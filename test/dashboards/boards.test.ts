import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { comparable } from '../../dashboards/annotations.ts'
import { boards } from '../../dashboards/boards/boards.ts'
import { settingsFrom } from '../../dashboards/render.ts'
import { loadEvents } from '../../events/load.ts'
import { inForce } from '../../events/when.ts'
import {
  instant,
  prometheusPath,
  promtoolPath,
  type Running,
  run,
  scratch,
  startPrometheus,
} from '../servers/prometheus.ts'
import { answered, filled, resolved, type Values, type View } from './grafana.ts'
import { openMetrics, type Times } from './samples.ts'

const missing =
  prometheusPath === null || promtoolPath === null ? ' (skipped: prometheus or promtool is not installed)' : ''
const events = loadEvents()
const all = boards({ ...settingsFrom({}), events })

describe.skipIf(missing !== '')(`boards against a real Prometheus${missing}`, () => {
  const to = Math.floor(Date.now() / 300_000) * 300
  const view: View = { from: to - 3 * 3_600, to }
  const start = Number(comparable(events).at(-1)!.facts.split('~')[3])
  let prometheus: Running
  let folder: Awaited<ReturnType<typeof scratch>>
  const values = new Map<string, Values>()

  beforeAll(async () => {
    folder = await scratch('boards')
    const week = 7 * 86_400
    const hour = 3_600
    // promtool reads its whole input once per block of two hours: the far past is a file of its own.
    const parts: Times[] = [
      { ...view, scrape: 60, rollup: 300 },
      { from: to - 30 * hour, to: to - 24 * hour, scrape: null, rollup: hour },
      { from: start - week, to: start + week, scrape: null, rollup: 8 * hour },
    ]
    for (const [index, times] of parts.entries()) {
      const file = join(folder.path, `samples-${index}`)
      await pipeline(Readable.from(openMetrics(times)), createWriteStream(file))
      run(promtoolPath!, ['tsdb', 'create-blocks-from', 'openmetrics', '--quiet', file, join(folder.path, 'data')])
    }
    prometheus = await startPrometheus(folder.path)
    const wishes = { app: 'telegram', country: 'IR', feature: 'text', asn: '0' }
    for (const board of all) {
      const names = new Set(
        board.templating.list.filter(({ type, multi }) => type === 'query' && !multi).map(({ name }) => name),
      )
      const own = Object.fromEntries(
        Object.entries(wishes).filter(
          ([name]) => names.has(name) && (board.uid !== 'peyk-event' || name === 'feature'),
        ),
      )
      values.set(board.uid, await resolved(prometheus.url, board, view, own))
    }
  })

  afterAll(async () => {
    await prometheus?.[Symbol.asyncDispose]()
    await folder?.[Symbol.asyncDispose]()
  })

  for (const board of all)
    describe(board.uid, () => {
      // Around the event its own lines show; everything else looks at the present.
      const range: View = board.uid === 'peyk-event' ? { from: start - 3 * 86_400, to: start + 3 * 86_400 } : view
      for (const panel of board.panels)
        if ('targets' in panel)
          test(`${panel.id} ${panel.title}`, async () => {
            for (const target of panel.targets ?? []) {
              const least = panel.interval === '5m' ? 300 : 60
              const series = await answered(prometheus.url, target, values.get(board.uid)!, range, least)
              expect(series.length, target.expr).toBeGreaterThan(0)
              // What a legend names, the answer has.
              for (const [, label] of target.legendFormat.matchAll(/\{\{(\w+)\}\}/g))
                expect(
                  series.some(({ metric }) => label! in metric),
                  `${label} of ${target.legendFormat}`,
                ).toBe(true)
            }
          })
      test('annotations answer, and events stand at their true time', async () => {
        for (const { name, target, useValueForTime } of board.annotations.list) {
          if (!target) continue
          const series = await answered(prometheus.url, target, values.get(board.uid)!, range)
          if (!useValueForTime || name === 'Degradations found') continue
          for (const { metric, value } of series) {
            const event = events.find(({ id }) => id === metric['event'])
            expect(event, name).toBeDefined()
            expect(metric['title']).toBe(event!.title.en.replaceAll('"', '”'))
            expect(Math.abs(Number(value![1]) - Date.parse(event!.when.start))).toBeLessThanOrEqual(86_400_000)
          }
        }
      })
    })

  test('a span of recurring hours is shaded in these hours only', async () => {
    const id = 'ke-2024-11-07-telegram-exam-block'
    const { event } = { event: events.find(one => one.id === id)! }
    const [layer] = all[0]!.annotations.list.filter(
      ({ name, target }) => name.includes('spans') && target?.expr.includes(id),
    )
    const query = filled(layer!.target!.expr, values.get(all[0]!.uid)!, view, 300)
    for (const [time, shaded] of [
      ['2024-11-11T05:00:00Z', true], // Monday, 08:00 in Nairobi
      ['2024-11-11T09:00:00Z', false], // noon, between the exams
      ['2024-11-09T05:00:00Z', false], // Saturday
      ['2024-12-23T05:00:00Z', false], // a Monday after it all
    ] as const) {
      const at = Date.parse(time) / 1000
      const series = await instant(prometheus.url, query, at)
      expect(
        series.some(({ metric }) => metric['event'] === id),
        time,
      ).toBe(shaded)
      expect(inForce(event, at) === 'yes', time).toBe(shaded)
    }
  })
})
