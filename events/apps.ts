/**
 * Apps that events name and Peyk's catalogue does not hold: they are gone, never became messengers of their own, or
 * cannot be measured from outside. Slug to the name people know. The catalogue's apps are in measurement/; a slug moves
 * from here to there when its first probe comes, and events keep it.
 */
export const UNMEASURED_APPS: Readonly<Record<string, string>> = {
  bbm: 'BlackBerry Messenger',
  bisphone: 'BisPhone',
  briar: 'Briar',
  element: 'Element',
  facebook: 'Facebook',
  facetime: 'FaceTime',
  hotgram: 'Hotgram',
  safeswiss: 'SafeSwiss',
  sms: 'SMS',
  tango: 'Tango',
  'telegram-talaei': 'Telegram Talaei',
  threads: 'Threads',
  'twitter-x': 'Twitter/X',
  vchat: 'vChat',
  'wickr-me': 'Wickr Me',
  zangi: 'Zangi',
  zello: 'Zello',
}
