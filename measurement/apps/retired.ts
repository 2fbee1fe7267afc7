import type { App } from '../app.ts'

/** Systems that events name and that are gone. They are never asked: silence there is no blocking. */
export const skype: App = {
  id: 'skype',
  name: { en: 'Skype', fa: 'اسکایپ' },
  home: null,
  status: 'retired',
  note: 'Retired 2025-05-05: Microsoft closed it and moved its users to Teams.',
  targets: [],
}

export const wispi: App = {
  id: 'wispi',
  name: { en: 'Wispi', fa: 'ویسپی' },
  home: null,
  status: 'retired',
  note: 'Retired, date unknown, at the latest 2026-08: of the messenger of SG Atlantic (Hong Kong), reported on in 2017, no server, site or store listing was found.',
  targets: [],
}
