import type { App } from '../app.ts'

/** Gone, and never asked: silence there is no blocking. */
export const wispi: App = {
  id: 'wispi',
  name: { en: 'Wispi', fa: 'ویسپی' },
  home: null,
  status: 'retired',
  note: 'Retired, date unknown, at the latest 2026-08: of the messenger of SG Atlantic (Hong Kong), reported on in 2017, no server, site or store listing was found.',
  targets: [],
}
