import type { App } from './app.ts'
import { control } from './apps/control.ts'
import { messenger } from './apps/messenger.ts'
import { signal } from './apps/signal.ts'
import { telegram } from './apps/telegram.ts'
import { whatsapp } from './apps/whatsapp.ts'
import type { Target } from './target.ts'

/** Every app, in the order in which people look for them. Adding one is one file and one line here. */
export const apps: readonly App[] = [telegram, whatsapp, signal, messenger, control]

/** Version of what stands in `apps/`; raised with every change of a target, so that old results stay readable. */
export const CATALOGUE_VERSION = 1

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
