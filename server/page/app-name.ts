import { UNMEASURED_APPS } from '../../events/apps.ts'
import { apps, CONTROL } from '../../measurement/catalogue.ts'
import type { Feature } from '../../measurement/target.ts'

/** Ids of the apps people look for, in the catalogue's order; the neutral controls are none of them. */
export const appIds: readonly string[] = apps.map(app => app.id).filter(id => id !== CONTROL)

/** Those of them that have this use. */
export const idsWith = (feature: Feature): string[] =>
  appIds.filter(id => apps.find(app => app.id === id)?.targets.some(target => target.feature === feature))

/** The name people know an app by, in a language where it has one. */
export function appName(id: string, language: string): string {
  if (id === CONTROL) return language === 'fa' ? 'خود شبکه' : 'The network itself'
  const name = apps.find(app => app.id === id)?.name
  return (language === 'fa' ? name?.fa : undefined) ?? name?.en ?? UNMEASURED_APPS[id] ?? id
}
