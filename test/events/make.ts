import type { PolicyEvent } from '../../events/event.ts'

/** A valid event to vary: Telegram blocked in Iran on 26 April 2018, confirmed, its end not known. */
export function made(change: Partial<PolicyEvent> = {}): PolicyEvent {
  return {
    schema: 1,
    id: 'ir-2018-04-26-made',
    kind: 'block',
    title: { en: 'Made for a test', fa: 'برای آزمون' },
    summary: { en: 'Made for a test.' },
    when: { start: '2018-04-26', end: null, endState: 'unknown', tz: 'Asia/Tehran' },
    where: { countries: ['IR'], scope: 'national' },
    apps: ['telegram'],
    actors: [{ name: 'a court' }],
    confidence: 'confirmed',
    sources: [{ cite: 'a page', evidence: 'page' }],
    ...change,
  }
}
