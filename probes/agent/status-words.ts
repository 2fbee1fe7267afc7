/** What an agent tells of itself (`agent.ts`, `status`), in words for the person whose machine it is. */
export type Status = {
  software: string
  newer: { version: string } | null | undefined
  vantage: { country?: string; asn?: number; known: string }
  line: 'unknown' | 'up' | 'down'
  rests: 'quiet' | 'battery' | 'metered' | null
  catalogue: { version: number } | null | undefined
  last: { at: string; measured: number; answered: number } | null
  /** Seconds until the next round. */
  next: number
  budget: { left: number; perDay: number }
  spool: { measurements: number; gathered: number }
  ledger: { measured: number; dropped: number }
  delivery: { reports: number; delivered: number; trouble: string | null; refusal: string | null }
}

const megabytes = (bytes: number): string => (Math.max(0, bytes) / 1e6).toFixed(1)
const minutes = (seconds: number): number => Math.ceil(seconds / 60)

const english = (of: Status): [string, string][] => {
  const { vantage, last, budget, spool, ledger, delivery } = of
  const rests = { quiet: 'quiet hours (PEYK_QUIET)', battery: 'on battery', metered: 'this line is paid by the byte' }
  const lines = { unknown: 'not known yet', up: 'works', down: 'nothing answers, the neutral sites neither' }
  return [
    [
      'Now',
      of.rests
        ? `rests: ${rests[of.rests]}`
        : of.catalogue
          ? `next round within ${minutes(of.next)} minutes`
          : 'waits for the signed list of targets; nothing is measured before',
    ],
    ['This line', lines[of.line]],
    [
      'It is in',
      vantage.asn || (vantage.country && vantage.country !== 'ZZ')
        ? `${vantage.country}, network AS${vantage.asn} (${vantage.known})`
        : 'a place not known',
    ],
    ['Last round', last ? `${last.at.slice(0, 16)}Z: ${last.answered} of ${last.measured} answered` : 'none yet'],
    ['Delivered', `${delivery.delivered} measurements since it started`],
    ['Waiting here', `${spool.measurements + spool.gathered} measurements`],
    ['Lost here', `${ledger.dropped} of all ${ledger.measured}`],
    ['Left today', `${megabytes(budget.left)} MB at this moment, of ${megabytes(budget.perDay)} MB a day for rounds`],
    ...(delivery.trouble ? ([['Not delivered', delivery.trouble]] as [string, string][]) : []),
    ...(delivery.refusal ? ([['Refused last', delivery.refusal]] as [string, string][]) : []),
    ...(of.newer
      ? ([['New version', `${of.newer.version} is out; nothing installs itself`]] as [string, string][])
      : []),
  ]
}

const digits = (text: string | number): string => String(text).replace(/\d/g, digit => '۰۱۲۳۴۵۶۷۸۹'[Number(digit)]!)

const persian = (of: Status): string[] => {
  const { last, budget, spool, delivery } = of
  const rests = { quiet: 'ساعت‌های آرام (PEYK_QUIET)', battery: 'روی باتری', metered: 'پول این خط به بایت است' }
  const lines = { unknown: 'هنوز دانسته نیست', up: 'کار می‌کند', down: 'قطع است: جاهای بی‌طرف هم پاسخ نمی‌دهند' }
  return [
    of.rests
      ? `استراحت می‌کند: ${rests[of.rests]}.`
      : of.catalogue
        ? `دور بعدی تا ${digits(minutes(of.next))} دقیقهٔ دیگر.`
        : 'چشم‌به‌راه فهرست امضاشدهٔ هدف‌هاست؛ پیش از آن چیزی نمی‌سنجد.',
    `این خط ${lines[of.line]}.`,
    last ? `دور آخر: ${digits(last.answered)} پاسخ از ${digits(last.measured)} پرسش.` : 'هنوز دوری نبوده است.',
    `${digits(delivery.delivered)} سنجش رسیده، ${digits(spool.measurements + spool.gathered)} سنجش در صف.`,
    `اکنون ${digits(megabytes(budget.left))} مگابایت برای امروز مانده است.`,
    ...(delivery.trouble ? ['تحویل نمی‌شود؛ باز هم می‌کوشد.'] : []),
    ...(of.newer ? [`نسخهٔ تازه هست: ${of.newer.version}`] : []),
  ]
}

/** As lines of text, English and Persian. */
export const statusText = (status: Status): string =>
  [
    `${status.software} on this machine`,
    ...english(status).map(([name, text]) => `${name.padEnd(14)} ${text}`),
    '',
    // In a line that a terminal or browser begins at the left, Persian keeps its own order (U+2067, U+2069).
    ...persian(status).map(line => `\u2067${line}\u2069`),
    '',
  ].join('\n')
