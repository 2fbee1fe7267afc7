import { verdicts } from '../../measurement/verdict.ts'
import { VerdictMark } from './shape.tsx'
import { useView } from './view.tsx'

/** Every verdict with its meaning, from the worst; how it is known, and where all of it can be had. */
export function Legend() {
  const { words } = useView()
  return (
    <details class="legend">
      <summary>{words.matrix.legend}</summary>
      <dl>
        {[...verdicts].reverse().map(verdict => (
          <div key={verdict}>
            <dt>
              <VerdictMark verdict={verdict} />
            </dt>
            <dd>{words.meaning[verdict]}</dd>
          </div>
        ))}
      </dl>
      <p class="quiet">
        {words.matrix.how} <a href="/openapi.json">{words.matrix.api}</a>
      </p>
    </details>
  )
}
