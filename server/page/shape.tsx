import { looks } from '../../measurement/look.ts'
import type { Verdict } from '../../measurement/verdict.ts'
import { useView } from './view.tsx'

/**
 * The colours of verdicts as CSS classes, `v-blocked { --v: … }`, made from their one table. A constructed style sheet is
 * allowed under a content policy without inline styles.
 */
export function adoptVerdictColours(): void {
  const rules = (theme: 'light' | 'dark') =>
    Object.entries(looks)
      .map(([verdict, look]) => `.v-${verdict}{--v:${look[theme]}}`)
      .join('')
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(`${rules('light')}@media(prefers-color-scheme:dark){${rules('dark')}}`)
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
}

export function Shape({ verdict }: { verdict: Verdict }) {
  return (
    <svg class={`shape v-${verdict}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={looks[verdict].path} fill-rule="evenodd" />
    </svg>
  )
}

/** Shape and word: what a verdict is never shown without. */
export function VerdictMark({ verdict }: { verdict: Verdict }) {
  const { words } = useView()
  return (
    <span class={`mark v-${verdict}`}>
      <Shape verdict={verdict} /> {words.verdict[verdict]}
    </span>
  )
}
