/** The words sentences are made of (sentence.ts), in English and Persian. */

export const failureWords: Readonly<Record<string, string>> = {
  dns: 'DNS',
  tcp: 'TCP',
  tls: 'TLS',
  http: 'HTTP',
  udp: 'UDP',
  protocol: 'its own protocol',
}

export const mechanismWords: Readonly<Record<string, string>> = {
  drop: 'gets no answer',
  rst: 'is reset',
  refuse: 'is refused',
  nxdomain: 'says the name does not exist',
  injection: 'gives forged answers',
  blockpage: 'gives a block page',
}

export const words: Record<'en' | 'fa', Readonly<Record<string, string>>> = {
  en: {
    blocked: 'blocked',
    partial: 'partly blocked',
    slow: 'slow',
    throttled: 'throttled',
    app_down: 'down',
    domestic_only: 'cut off from abroad',
    network_down: 'down',
  },
  fa: {
    blocked: 'مسدود',
    partial: 'تا حدی مسدود',
    slow: 'کند',
    throttled: 'کندشده',
    app_down: 'از کار افتاده',
    domestic_only: 'بریده از خارج',
    network_down: 'قطع',
  },
}

export const throttledWords: Record<'en' | 'fa', Readonly<Record<string, string>>> = {
  en: {
    freeze: ', and freeze after the first kilobytes',
    police: ', by a policer',
    shape: ', by a shaper',
    drop_up: ', and what is sent to it is dropped on the way',
  },
  fa: {
    freeze: '، و پس از نخستین کیلوبایت‌ها می‌ایستند',
    police: '، با محدودکنندهٔ نرخ (policer)',
    shape: '، با شکل‌دهندهٔ ترافیک (shaper)',
    drop_up: '، و آنچه به آن فرستاده می‌شود در راه دور ریخته می‌شود',
  },
}

export const persianDays: Readonly<Record<string, string>> = {
  mon: 'دوشنبه',
  tue: 'سه‌شنبه',
  wed: 'چهارشنبه',
  thu: 'پنجشنبه',
  fri: 'جمعه',
  sat: 'شنبه',
  sun: 'یکشنبه',
}

export const persianFeatures: Readonly<Record<string, string>> = {
  media: 'رسانه',
  'voice-call': 'تماس',
  web: 'نسخهٔ وب',
  registration: 'ثبت‌نام',
  download: 'دریافت',
  cdn: 'شبکهٔ توزیع محتوا',
}
