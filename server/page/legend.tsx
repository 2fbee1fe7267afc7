import { verdicts } from '../../measurement/verdict.ts'
import { VerdictMark } from './shape.tsx'
import { useView } from './view.tsx'

/** Every verdict with its meaning, from the worst. */
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
    </details>
  )
}
