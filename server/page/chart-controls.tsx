import type { Operation } from '../../measurement/step.ts'
import { type Feature, features } from '../../measurement/target.ts'
import { home, instantOf, instantText } from './address.ts'
import { appIds, appName } from './app-name.ts'
import { linkOf } from './ask.ts'
import { type Chart, LANES, operationOf, operationsIn } from './chart-load.ts'
import { beside, presets, stepsFor, timeText, wider } from './range.ts'
import { go, useView } from './view.tsx'

type Props = { app: string; country: string; chart: Chart; waiting: boolean }

/** What a chart shows and where in time; each control is a change of the URL. */
export function ChartControls({ app, country, chart, waiting }: Props) {
  const { address, words, format, link } = useView()
  const { range, step } = chart
  const series = [chart.whole, ...chart.lanes.map(lane => lane.series)]
  const operations = operationsIn(series)
  const query = {
    app,
    country,
    feature: address.feature,
    from: instantText(range.from),
    to: instantText(range.to),
    step,
  }
  return (
    <>
      <p class="crumbs">
        <a href={link({ ...home, country, feature: address.feature, at: address.at })}>{words.chart.back}</a>
      </p>
      <div class="chart-head" aria-busy={waiting}>
        <h1>{words.chart.heading(appName(app, address.language), format.country(country))}</h1>
        <p class="span">
          <bdi>{format.span(range.from, range.to)}</bdi>
        </p>
      </div>
      <div class="controls">
        <label>
          <span>{words.matrix.apps}</span>
          <select value={app} onChange={event => go(link({ app: event.currentTarget.value, event: null }))}>
            {[...new Set([...appIds, app])].map(id => (
              <option key={id} value={id}>
                {appName(id, address.language)}
              </option>
            ))}
          </select>
        </label>
        <label>
          <span>{words.feature}</span>
          <select
            value={address.feature}
            onChange={event => go(link({ feature: event.currentTarget.value as Feature }))}
          >
            {features.map(feature => (
              <option key={feature} value={feature}>
                {words.features[feature]}
              </option>
            ))}
          </select>
        </label>
        {operations.length > 1 && (
          <label>
            <span>{words.chart.operation}</span>
            <select
              value={operationOf(series, address.operation) ?? ''}
              onChange={event => go(link({ operation: event.currentTarget.value as Operation }))}
            >
              {operations.map(operation => (
                <option key={operation} value={operation}>
                  {words.operation[operation]}
                </option>
              ))}
            </select>
          </label>
        )}
        {stepsFor(range).length > 1 && (
          <label>
            <span>{words.chart.point}</span>
            <select value={step} onChange={event => go(link({ step: event.currentTarget.value }))}>
              {stepsFor(range).map(name => (
                <option key={name} value={name}>
                  {words.chart.length[name]}
                </option>
              ))}
            </select>
          </label>
        )}
        <RangeControl chart={chart} />
        <a class="button" href={linkOf('/v1/series', query)} target="_blank" rel="noopener">
          {words.chart.data}
        </a>
      </div>
      <NetworkChoice chart={chart} />
    </>
  )
}

function RangeControl({ chart: { range } }: { chart: Chart }) {
  const { words, now, link } = useView()
  const day = (at: number) => timeText(at).slice(0, 10)
  const set = (change: { from: number } | { to: number }) => {
    const { from, to } = { ...range, ...change }
    if (from < to) go(link({ from, to }))
  }
  const dates = [
    { label: words.chart.from, value: day(range.from), put: (at: number) => set({ from: at }) },
    { label: words.chart.to, value: day(range.to), put: (at: number) => set({ to: at }) },
  ]
  return (
    <fieldset class="range" aria-label={`${words.chart.range} (${words.utc})`}>
      {dates.map(({ label, value, put }) => (
        <label key={label}>
          <span>{label}</span>
          <input
            type="date"
            value={value}
            onChange={event => {
              const at = instantOf(event.currentTarget.value)
              if (at !== null) put(at)
            }}
          />
        </label>
      ))}
      <div class="steps">
        <a class="button" href={link(beside(range, -1))}>
          {words.chart.earlier}
        </a>
        <a class="button" href={link(beside(range, 1))}>
          {words.chart.later}
        </a>
        <a class="button" href={link(wider(range, now))}>
          {words.chart.wider}
        </a>
        {presets.map(({ name, length }) => (
          <a
            key={name}
            class="button"
            aria-current={range.to - range.from === length ? 'true' : undefined}
            href={link({ from: range.to - length, to: range.to })}
          >
            {words.chart.presets[name]}
          </a>
        ))}
      </div>
    </fieldset>
  )
}

/** Which networks have a lane. */
function NetworkChoice({ chart }: { chart: Chart }) {
  const { address, words, format, link } = useView()
  const shown = chart.lanes.map(lane => lane.network.asn)
  if (chart.networks.length < 2) return null
  const toggled = (asn: number) => (shown.includes(asn) ? shown.filter(one => one !== asn) : [...shown, asn])
  return (
    <details class="networks">
      <summary>
        {words.chart.chosen}: {format.number(shown.length)} / {format.number(chart.networks.length)}
      </summary>
      <div class="chips">
        {chart.networks.map(({ asn, name }) => (
          <label key={asn} class="chip">
            <input
              type="checkbox"
              checked={shown.includes(asn)}
              disabled={shown.length === 1 && shown[0] === asn}
              onChange={() => go(link({ networks: toggled(asn) }))}
            />
            <bdi>{name ? `${name} (${format.network(asn)})` : format.network(asn)}</bdi>
          </label>
        ))}
      </div>
      {chart.networks.length > LANES && (
        <a class="button" href={link({ networks: [], all: !address.all })}>
          {address.all ? words.chart.fewer : words.chart.more(format.number(chart.networks.length - LANES))}
        </a>
      )}
      {address.networks.length > 0 && (
        <a class="button" href={link({ networks: [] })}>
          {words.chart.usual}
        </a>
      )}
    </details>
  )
}
