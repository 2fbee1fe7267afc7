import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import { diagnosis, ordinary, thirdParty } from './defaults.ts'

/**
 * Storefronts that are looked into. Apple: the one of reference, those Iranians use (there is none for Iran: it would say
 * no such storefront, which is no removal), and those whose state has had messengers taken down. Google knows Iran.
 */
const STOREFRONTS = { apple: ['US', 'TR', 'AE', 'CA', 'RU', 'CN'], google: ['US', 'IR', 'RU'] } as const

const STORES = {
  apple: { host: 'itunes.apple.com', source: 'facundoolano/app-store-scraper:lib/common.js' },
  google: { host: 'play.google.com', source: 'facundoolano/google-play-scraper:lib/app.js' },
} as const

const listing = (app: string, store: keyof typeof STORES, id: string, country: string): TargetOf<'store'> => ({
  ...ordinary,
  ...thirdParty,
  ...diagnosis,
  id: `${app}.listing.${store}.${country.toLowerCase()}`,
  feature: 'download',
  ...STORES[store],
  port: 443,
  // Apple answers about 20 of these a minute; one a minute is far below, and a listing changes on a scale of days.
  spacing: 60,
  roles: ['control'],
  healthy: 'The store lists the app in this storefront.',
  kind: 'store',
  ask: { store, app: id, country },
})

/**
 * Whether the stores list an app. That does not depend on the network it is asked from, so only control agents ask, and
 * no verdict counts it: whether the store itself can be reached from here is a target of the store's own.
 */
export const listings = ({ id, stores }: App): TargetOf<'store'>[] =>
  (['apple', 'google'] as const).flatMap(store => {
    const known = stores?.[store]
    return known === undefined ? [] : STOREFRONTS[store].map(country => listing(id, store, `${known}`, country))
  })
