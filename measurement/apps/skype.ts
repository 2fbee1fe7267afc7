import type { App } from '../app.ts'

/** Gone, and never asked: silence there is no blocking. */
export const skype: App = {
  id: 'skype',
  name: { en: 'Skype', fa: 'اسکایپ' },
  home: null,
  status: 'retired',
  note: 'Retired 2025-05-05: Microsoft closed it and moved its users to Teams.',
  targets: [],
}
