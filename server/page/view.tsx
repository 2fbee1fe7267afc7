import { type ComponentChildren, createContext } from 'preact'
import { useContext, useEffect, useState } from 'preact/hooks'
import { type Address, addressOf, linkTo } from './address.ts'
import { type Format, formatIn } from './format.ts'
import { en } from './strings/en.ts'
import { fa } from './strings/fa.ts'
import { directionOf, type Strings } from './strings/language.ts'

/** What every part of the page needs: where it is, how it speaks, and the link to anywhere else. */
export type View = {
  address: Address
  words: Strings
  format: Format
  /** Unix seconds at the last navigation: one present for the whole page. */
  now: number
  /** The link to this view with some of it changed. */
  link: (change: Partial<Address>) => string
}

const Context = createContext<View | null>(null)

export function useView(): View {
  const view = useContext(Context)
  if (view === null) throw new Error('useView outside of ViewProvider')
  return view
}

/** Goes to a view as a link would; `replace` for changes nobody wants to go back through, such as typed letters. */
export function go(link: string, replace = false): void {
  history[replace ? 'replaceState' : 'pushState'](null, '', link)
  dispatchEvent(new PopStateEvent('popstate'))
}

/** Links within the page change the view without asking the server for the page again. */
function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return
  const anchor = event.target instanceof Element ? event.target.closest('a') : null
  if (!anchor || anchor.target || anchor.download || anchor.origin !== location.origin) return
  if (anchor.getAttribute('href')?.startsWith('#')) return
  if (anchor.pathname !== '/' && !anchor.pathname.startsWith('/finding/')) return
  event.preventDefault()
  const before = addressOf(new URL(location.href))
  go(anchor.href)
  const after = addressOf(new URL(location.href))
  // Another page rather than another cut of the same: start at its top, as a browser would.
  if (before.app !== after.app || before.finding !== after.finding) {
    scrollTo(0, 0)
    document.querySelector<HTMLElement>('main')?.focus({ preventScroll: true })
  }
}

function current() {
  const address = addressOf(new URL(location.href))
  // Before anything is drawn: a page that turns round after its first paint jumps.
  document.documentElement.lang = address.language
  document.documentElement.dir = directionOf(address.language)
  return { address, now: Math.floor(Date.now() / 1_000) }
}

export function ViewProvider({ children }: { children: ComponentChildren }) {
  const [{ address, now }, move] = useState(current)
  useEffect(() => {
    const moved = () => move(current())
    addEventListener('popstate', moved)
    document.addEventListener('click', follow)
    return () => {
      removeEventListener('popstate', moved)
      document.removeEventListener('click', follow)
    }
  }, [])
  const { language } = address
  const words = language === 'fa' ? fa : en
  const link = (change: Partial<Address>) => linkTo({ ...address, ...change })
  const view = { address, words, format: formatIn(language, words), now, link }
  return <Context.Provider value={view}>{children}</Context.Provider>
}
