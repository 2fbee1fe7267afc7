import { type Operation, operations } from '../../measurement/step.ts'
import { type Feature, features } from '../../measurement/target.ts'
import { steps } from '../../measurement/windows.ts'
import { secondsOf, timeText } from './range.ts'
import { type Language, languages } from './strings/language.ts'

/**
 * What the page shows. It is read from the URL and nowhere else kept: a link is the whole view, and back and forward are
 * the browser's own. An app and a country together ask for the chart, a finding for its own page, all else for the matrix.
 */
export type Address = {
  /** Id of a degradation, from the path `/finding/:id`. */
  finding: string | null
  /** Of the finding: what was said at that time; null is the newest. */
  revision: number | null
  country: string | null
  app: string | null
  feature: Feature
  /** Unix seconds; null is the present. */
  at: number | null
  /** Unix seconds, [from, to); null where the URL leaves it to the page. */
  from: number | null
  to: number | null
  /** Length of a chart's points, as the API names it; null leaves the choice to the page. */
  step: string | null
  /** Networks to chart; empty leaves the choice to the page. */
  networks: readonly number[]
  /** The operation whose latency is charted; null leaves the choice to the page. */
  operation: Operation | null
  /** Text that the names of networks must hold. */
  find: string
  /** Unfolds long lists. */
  all: boolean
  /** Kinds of event to show; empty is every kind. */
  kinds: readonly string[]
  confidence: 'rumor' | 'reported' | 'confirmed'
  /** Shows rumours, denials and announced figures too. */
  quiet: boolean
  /** The event pointed out in chart and list. */
  event: string | null
  language: Language
}

const oneOf = <T extends string>(list: readonly T[], text: string | null): T | null =>
  list.find(item => item === text) ?? null

const matching = (pattern: RegExp, text: string | null): string | null =>
  text !== null && pattern.test(text) ? text : null

const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?Z)?$/

/** `2023-11-09`, `2023-11-09T09:00Z` or with seconds, in UTC; anything else, and days that do not exist, are null. */
export function instantOf(text: string | null): number | null {
  if (text === null || !TIME.test(text)) return null
  const at = secondsOf(text)
  // Date.parse turns 31 June into 1 July in some engines; a link must never mean another day than it says.
  return Number.isNaN(at) || timeText(at).slice(0, 10) !== text.slice(0, 10) ? null : at
}

/** As short as the instant allows: a day, else minutes. What is finer than a minute is cut. */
export function instantText(at: number): string {
  const text = timeText(at)
  return text.slice(11, 16) === '00:00' ? text.slice(0, 10) : `${text.slice(0, 16)}Z`
}

const list = (text: string | null) => (text ? text.split(',').slice(0, 60) : [])

/** Reads a URL. What is wrong or unknown counts as absent: an old or mistyped link still shows something. */
export function addressOf(url: URL): Address {
  const query = url.searchParams
  const from = instantOf(query.get('from'))
  const to = instantOf(query.get('to'))
  const inOrder = from === null || to === null || from < to
  return {
    finding: /^\/finding\/([\w-]{1,128})\/?$/.exec(url.pathname)?.[1] ?? null,
    revision: Number(matching(/^[1-9]\d{0,6}$/, query.get('revision'))) || null,
    country: matching(/^[A-Z]{2}$/, query.get('country')),
    app: matching(/^[a-z0-9][a-z0-9-]{0,31}$/, query.get('app')),
    feature: oneOf(features, query.get('feature')) ?? 'text',
    at: instantOf(query.get('at')),
    from: inOrder ? from : null,
    to: inOrder ? to : null,
    step: oneOf(steps, query.get('step')),
    networks: [...new Set(list(query.get('networks')))].filter(text => /^\d{1,10}$/.test(text)).map(Number),
    operation: oneOf(operations, query.get('operation')),
    find: (query.get('find') ?? '').slice(0, 80),
    all: query.get('all') === '1',
    kinds: list(query.get('kinds')).filter(kind => /^[a-z-]{1,30}$/.test(kind)),
    confidence: oneOf(['rumor', 'reported', 'confirmed'], query.get('confidence')) ?? 'rumor',
    quiet: query.get('quiet') === '1',
    event: matching(/^[a-z0-9][a-z0-9-]{4,79}$/, query.get('event')),
    language: oneOf(languages, query.get('lang')) ?? 'en',
  }
}

/** The link to a view: the inverse of `addressOf`, without what is default anyway. */
export function linkTo(address: Address): string {
  const query = new URLSearchParams()
  const put = (name: string, text: string | null | false) => text && query.set(name, text)
  put('revision', address.revision !== null && `${address.revision}`)
  put('country', address.country)
  put('app', address.app)
  put('feature', address.feature !== 'text' && address.feature)
  put('at', address.at !== null && instantText(address.at))
  put('from', address.from !== null && instantText(address.from))
  put('to', address.to !== null && instantText(address.to))
  put('step', address.step)
  put('networks', address.networks.join(','))
  put('operation', address.operation)
  put('find', address.find)
  put('all', address.all && '1')
  put('kinds', address.kinds.join(','))
  put('confidence', address.confidence !== 'rumor' && address.confidence)
  put('quiet', address.quiet && '1')
  put('event', address.event)
  put('lang', address.language !== 'en' && address.language)
  // Commas and colons are legal in a query and keep the links readable.
  const text = query.toString().replaceAll('%2C', ',').replaceAll('%3A', ':')
  return `${address.finding === null ? '/' : `/finding/${address.finding}`}${text ? `?${text}` : ''}`
}

/** The matrix of everything, without any cut a reader made: what links to other pages start from. */
export const home: Omit<Address, 'language'> = {
  finding: null,
  revision: null,
  country: null,
  app: null,
  feature: 'text',
  at: null,
  from: null,
  to: null,
  step: null,
  networks: [],
  operation: null,
  find: '',
  all: false,
  kinds: [],
  confidence: 'rumor',
  quiet: false,
  event: null,
}
