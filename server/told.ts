import type { Degradation } from '../measurement/answers.ts'
import { type Verdict, verdicts } from '../measurement/verdict.ts'
import type { Change } from './findings.ts'

/** What is worth a word to a person, and what was said already. Pure. */
type Word = 'open' | 'worsen' | 'close'

/** Body of the webhook. */
export type Notification = {
  key: string
  change: Word
  text: { en: string; fa: string }
  degradation: Degradation
}

/**
 * What the webhook was last told of one incident (a degradation, or several that began together), and what it is still to be
 * told: the worst verdict, and which degradations are open.
 */
export type Told = { verdict: Verdict; open: readonly string[]; waiting: Notification[] }

/** Words kept for a receiver that is away, per incident: the newest say enough. */
const MOST_WAITING = 5

/** An outage is nobody's doing: what turns out to be a block behind it is news. */
const gravity = (verdict: Verdict): number => (verdict === 'app_down' ? 0 : verdicts.indexOf(verdict))

export const byVerdict = ({ degradation: a }: Change, { degradation: b }: Change): number =>
  gravity(b.verdict) - gravity(a.verdict)

/** What it was told as part of, even if it is known under another incident since; else its incident. */
export const incidentOf = ({ id, incident }: Degradation, told: ReadonlyMap<string, Told>): string =>
  told.entries().find(([, { open }]) => open.includes(id))?.[0] ?? incident ?? id

/**
 * What is worth a word: the first confirmed degradation of a incident, a worse verdict, the end of the last that is open. Null
 * where nothing is to be kept.
 */
export const toldAfter = ({ change, degradation }: Change, before: Told | undefined): Told | null => {
  const { id, verdict, state } = degradation
  const { open, verdict: worst, waiting } = before ?? { open: [], verdict, waiting: [] }
  const lasts = change !== 'withdrawn' && degradation.end === null
  const known = open.includes(id)
  if (lasts ? state !== 'confirmed' : !known) return null
  const now = lasts ? [...new Set([...open, id])] : open.filter(of => of !== id)
  const worsened = gravity(verdict) > gravity(worst)
  const word = open.length === 0 ? 'open' : now.length === 0 ? 'close' : lasts && worsened ? 'worsen' : null
  if (word === null) return known && lasts ? null : { open: now, verdict: worst, waiting }
  return { open: now, verdict, waiting: [...waiting, notificationOf(word, degradation)].slice(-MOST_WAITING) }
}

const notificationOf = (change: Word, degradation: Degradation): Notification => ({
  key: `${degradation.id}/${degradation.revision}/${change}`,
  change,
  text: textOf(change, degradation.sentence),
  degradation,
})

const textOf = (change: Word, sentence: Degradation['sentence']) => {
  const before = {
    open: { en: '', fa: '' },
    worsen: { en: 'Worse: ', fa: 'بدتر شد: ' },
    close: { en: 'Over: ', fa: 'پایان یافت: ' },
  }
  return { en: before[change].en + sentence.en, fa: before[change].fa + sentence.fa }
}
