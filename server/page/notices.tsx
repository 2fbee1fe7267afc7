import type { Source } from '../../measurement/answers.ts'
import type { Trouble } from './ask.ts'
import { useView } from './view.tsx'

/** A band nobody can miss, wherever a simulation stands behind what is shown. */
export function SimulatedBand({ sources }: { sources: readonly Source[] }) {
  const { words } = useView()
  if (!sources.some(source => source.origin === 'simulated')) return null
  const only = sources.every(source => source.origin === 'simulated')
  return (
    <p class="simulated" role="note">
      <strong>{words.sources.simulated}</strong> {only ? words.sources.simulatedText : words.sources.partlySimulated}
    </p>
  )
}

/** Whose data stands behind a view, and under which licence. */
export function Sources({ sources }: { sources: readonly Source[] }) {
  const { words } = useView()
  if (sources.length === 0) return null
  const { agent, ooni, simulated } = words.sources
  const origin = { agent, ooni, simulated }
  return (
    <section class="sources">
      <h2>{words.sources.heading}</h2>
      <ul>
        {sources.map(source => (
          <li key={`${source.origin} ${source.attribution}`}>
            {origin[source.origin]}: <bdi>{source.attribution}</bdi>
            {source.licence && (
              <>
                {' '}
                ({words.sources.licence} <bdi>{source.licence}</bdi>)
              </>
            )}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** What went wrong in asking the server, in words; nothing where nothing did. */
export function TroubleNote({ trouble }: { trouble: Trouble | null }) {
  const { words } = useView()
  if (trouble === null) return null
  return (
    <p class="trouble" role="alert">
      {trouble.status === 0 ? words.trouble.unreachable : words.trouble.refused(trouble.message)}
    </p>
  )
}
