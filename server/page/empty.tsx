import { useView } from './view.tsx'

const commands = [
  { name: 'agent', text: 'npm run agent' },
  { name: 'import', text: 'npm run import -- ooni FILE' },
  { name: 'baseline', text: 'npm run baseline' },
] as const

/** A server without any measurement: what to do next. */
export function Empty() {
  const { words } = useView()
  return (
    <section class="empty">
      <h1>{words.empty.heading}</h1>
      <p>{words.empty.text}</p>
      <dl>
        {commands.map(({ name, text }) => (
          <div key={name}>
            <dt>
              <code dir="ltr">{text}</code>
            </dt>
            <dd>{words.empty[name]}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

/** Data exists, but not here and now: the way to where it is. */
export function NotNow({ newest, href }: { newest: number | null; href: string }) {
  const { words, format } = useView()
  return (
    <section class="empty">
      <p>
        <strong>{words.empty.notNow}</strong>{' '}
        {newest !== null && (
          <>
            {words.empty.newest(format.instant(newest))}{' '}
            <a class="button" href={href}>
              {words.empty.showNewest}
            </a>
          </>
        )}
      </p>
    </section>
  )
}
