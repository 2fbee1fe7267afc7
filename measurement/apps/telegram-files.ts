import type { TargetOf } from '../target.ts'
import { experimental, neutralObjects, object, thirdParty } from './defaults.ts'

/** A picture of 31 MB in Telegram's own network, which others time too. */
const picture = {
  feature: 'media',
  host: 'telegram.org',
  path: '/img/Telegram200million.png',
  edge: false,
  source: 'Runnin4ik/dpi-detector:config.py',
  ...thirdParty,
} as const

/** What is timed of Telegram. */
export const telegramFiles: readonly TargetOf<'transfer'>[] = [
  object({
    ...picture,
    id: 'telegram.object',
    pairs: [...neutralObjects, { with: 'telegram.object.name', differs: 'name' }],
  }),
  // The same address under another name: where it is faster, the name is what is slowed down.
  object({ ...picture, ...experimental, id: 'telegram.object.name', sni: 'example.com', risk: 'unusual' }),
]
