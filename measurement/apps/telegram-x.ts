import type { App } from '../app.ts'

/** Built on TDLib: the same data centres, ports and protocol as Telegram, so what is measured of Telegram holds for it. */
export const telegramX: App = {
  id: 'telegram-x',
  name: { en: 'Telegram X', fa: 'تلگرام ایکس' },
  home: null,
  status: 'measured',
  note: 'Telegram’s own second app, on Telegram’s servers; it differs in its store listings only (TGX-Android/Telegram-X).',
  sharesNetworkOf: 'telegram',
  stores: { apple: 898228810, google: 'org.thunderdog.challegram' },
  targets: [],
}
