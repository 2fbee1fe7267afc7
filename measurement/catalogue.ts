import type { App } from './app.ts'
import { appleAppStore } from './apps/apple-app-store.ts'
import { bale } from './apps/bale.ts'
import { control } from './apps/control.ts'
import { discord } from './apps/discord.ts'
import { eitaa } from './apps/eitaa.ts'
import { gap } from './apps/gap.ts'
import { googlePlay } from './apps/google-play.ts'
import { igap } from './apps/igap.ts'
import { imo } from './apps/imo.ts'
import { instagram } from './apps/instagram.ts'
import { kakaotalk } from './apps/kakaotalk.ts'
import { kik } from './apps/kik.ts'
import { line } from './apps/line.ts'
import { listings } from './apps/listings.ts'
import { matrix } from './apps/matrix.ts'
import { max } from './apps/max.ts'
import { messenger } from './apps/messenger.ts'
import { rubika } from './apps/rubika.ts'
import { session } from './apps/session.ts'
import { signal } from './apps/signal.ts'
import { skype } from './apps/skype.ts'
import { snapchat } from './apps/snapchat.ts'
import { soroush } from './apps/soroush.ts'
import { telegram } from './apps/telegram.ts'
import { telegramX } from './apps/telegram-x.ts'
import { threema } from './apps/threema.ts'
import { viber } from './apps/viber.ts'
import { vk } from './apps/vk.ts'
import { wechat } from './apps/wechat.ts'
import { whatsapp } from './apps/whatsapp.ts'
import { wire } from './apps/wire.ts'
import { wispi } from './apps/wispi.ts'
import { zalo } from './apps/zalo.ts'
import type { Target } from './target.ts'

/**
 * Every app, in the order in which people look for them. Adding one is one file and one line here. A target's id keeps
 * its app, feature, kind and family for ever, and never goes: results that carry it may lie in spools for months, and the
 * server refuses what the catalogue does not know.
 */
const known: readonly App[] = [
  ...[telegram, whatsapp, signal, messenger, instagram, telegramX],
  ...[discord, snapchat, viber, imo, line, wechat, kakaotalk, kik, vk, max, zalo],
  ...[matrix, threema, wire, session],
  ...[soroush, bale, eitaa, rubika, gap, igap],
  ...[appleAppStore, googlePlay],
  control,
  ...[skype, wispi],
]

/** The apps with their listings in the stores, which follow from their ids there. */
export const apps: readonly App[] = known.map(app =>
  app.status === 'retired' ? app : { ...app, targets: [...app.targets, ...listings(app)] },
)

/** Version of what stands in `apps/`; raised with every change of a target, so that old results stay readable. */
export const CATALOGUE_VERSION = 5

/**
 * Seconds in place of `FILTER_SPACING` in countries whose filters hold a grudge for longer: what one of them punished keeps
 * the next flow to that address from passing for some ten minutes (TSPU; reference detection.md §2.1, §5.1).
 */
export const SPACING_IN: Readonly<Record<string, number>> = { RU: 600 }

/** The neutral controls: never judged themselves, they tell a dead line from a blocked app. */
export const CONTROL = 'control'

const byId = new Map(apps.map(app => [app.id, app]))
const targetsById = new Map(
  apps.flatMap(app => app.targets.map(target => [target.id, { app: app.id, target }] as const)),
)

export const findApp = (id: string): App | undefined => byId.get(id)
export const findTarget = (id: string): { app: string; target: Target } | undefined => targetsById.get(id)
export const allTargets = (): readonly { app: string; target: Target }[] => [...targetsById.values()]

/** Whether a result of this target counts for reachability, by who measured it (see `Target.decides`). */
export const decides = (target: Target, origin: 'agent' | 'ooni' | 'simulated'): boolean =>
  !target.experimental && (target.decides === 'yes' || (target.decides === 'imports' && origin === 'ooni'))
