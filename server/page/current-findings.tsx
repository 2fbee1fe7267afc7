import type { Degradation } from '../../measurement/answers.ts'
import { home } from './address.ts'
import { Shape } from './shape.tsx'
import { useView } from './view.tsx'

/** Findings told at once; the others unfold. */
const SHOWN = 4

/** What is known to be wrong at the time that is shown, and since when: the answer to a reader's first question. */
export function CurrentFindings({ findings }: { findings: readonly Degradation[] }) {
  const { words, format } = useView()
  if (findings.length === 0) return null
  // Certain ones first; among them the newest, as the server gives them.
  const sorted = [...findings].sort((a, b) => Number(b.state === 'confirmed') - Number(a.state === 'confirmed'))
  const rest = sorted.slice(SHOWN)
  return (
    <section class="current" aria-labelledby="current-heading">
      <h2 id="current-heading">{words.matrix.known}</h2>
      <List findings={sorted.slice(0, SHOWN)} />
      {rest.length > 0 && (
        <details>
          <summary>{words.matrix.others(format.number(rest.length))}</summary>
          <List findings={rest} />
        </details>
      )}
    </section>
  )
}

function List({ findings }: { findings: readonly Degradation[] }) {
  const { address, words, link } = useView()
  return (
    <ul>
      {findings.map(({ id, verdict, state, sentence }) => (
        <li key={id}>
          <Shape verdict={verdict} />
          <span>
            <a href={link({ ...home, finding: id })}>
              <bdi>{sentence[address.language]}</bdi>
            </a>{' '}
            {state === 'unconfirmed' && <small>({words.state[state]})</small>}
          </span>
        </li>
      ))}
    </ul>
  )
}
