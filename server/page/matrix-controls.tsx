import { looks } from '../../measurement/look.ts'
import type { Feature } from '../../measurement/target.ts'
import type { Verdict } from '../../measurement/verdict.ts'
import { instantOf } from './address.ts'
import { timeText } from './range.ts'
import { go, useView } from './view.tsx'

const HOUR = 3_600

type Props = {
  countries: readonly { country: string; worst: Verdict; networks: number }[]
  known: readonly { country: string; newest: string }[]
  country: string | null
  features: readonly Feature[]
}

/** Country, use, time and filter of the matrix. */
export function MatrixControls({ countries, known, country, features }: Props) {
  const { address, words, format, link } = useView()
  const others = known.filter(({ country: code }) => !countries.some(found => found.country === code))
  const byName = others.map(({ country: code }) => code)
  if (country !== null && !byName.includes(country) && !countries.some(found => found.country === country))
    byName.push(country)
  byName.sort((a, b) => format.country(a).localeCompare(format.country(b), address.language))
  return (
    <div class="controls">
      <label>
        <span>{words.place}</span>
        <select
          value={country ?? ''}
          onChange={event => go(link({ country: event.currentTarget.value || null, find: '', all: false }))}
        >
          {(countries.length > 1 || country === null) && <option value="">{words.allCountries}</option>}
          {countries.map(({ country: code, worst }) => (
            <option key={code} value={code}>
              {format.country(code)} {looks[worst].shape}
            </option>
          ))}
          {byName.map(code => (
            <option key={code} value={code}>
              {format.country(code)}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{words.feature}</span>
        <select value={address.feature} onChange={event => go(link({ feature: event.currentTarget.value as Feature }))}>
          {[...new Set([...features, address.feature])].map(feature => (
            <option key={feature} value={feature}>
              {words.features[feature]}
            </option>
          ))}
        </select>
      </label>
      <TimeControl />
      {country !== null && (
        <label class="find">
          <span>{words.matrix.find}</span>
          <input
            type="search"
            value={address.find}
            placeholder={words.matrix.findHint}
            onInput={event => go(link({ find: event.currentTarget.value }), true)}
          />
        </label>
      )}
    </div>
  )
}

function TimeControl() {
  const { address, words, now, link } = useView()
  const shown = address.at ?? now
  const moves = [
    { by: -24 * HOUR, label: words.matrix.dayEarlier, text: `−${words.matrix.oneDay}` },
    { by: -HOUR, label: words.matrix.earlier, text: `−${words.matrix.oneHour}` },
    { by: HOUR, label: words.matrix.later, text: `+${words.matrix.oneHour}` },
    { by: 24 * HOUR, label: words.matrix.dayLater, text: `+${words.matrix.oneDay}` },
  ]
  return (
    <fieldset class="time" aria-label={`${words.matrix.time} (${words.utc})`}>
      <label>
        <span>
          {words.matrix.time} ({words.utc})
        </span>
        <input
          type="datetime-local"
          value={timeText(shown).slice(0, 16)}
          onChange={event => {
            const at = instantOf(`${event.currentTarget.value}Z`)
            if (at !== null) go(link({ at }))
          }}
        />
      </label>
      <div class="steps">
        {moves.map(({ by, label, text }) => (
          <a
            key={text}
            class="button"
            aria-label={label}
            aria-disabled={shown + by > now}
            href={link({ at: shown + by > now ? null : Math.floor((shown + by) / 60) * 60 })}
          >
            {text}
          </a>
        ))}
        <a class="button" aria-current={address.at === null ? 'time' : undefined} href={link({ at: null })}>
          {words.now}
        </a>
      </div>
    </fieldset>
  )
}
