import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { readJson, writeDurably } from './files.ts'

/** Raised when what the agent does changed so much that people must be asked again. */
const TEXT_VERSION = 3

/** What an agent does, what it contacts, who could notice, what is published. Shown before anything is measured. */
export const consentText = {
  en: `Peyk measures whether messaging apps work from where you are.

What it does   Every few minutes it opens connections to servers of some thirty messaging apps and app stores and to a few
               neutral sites, as a phone with the app would, and times them. No account, no message, no contact.
               A few times a day it loads up to 256 kB of public files, to see whether they are slowed down. At most 12 MB a day
               (PEYK_PROFILE: 1.5 MB metered, 200 MB control).
               It asks public STUN servers under which address this line is seen, looks up country and operator here, and forgets it.
What it sends  Which target was asked, when, how long each step took, what failed; your country and network operator, as
               numbers. Never an address, a name, or what you do on this line.
Who could see  Peyk does not hide. Your network operator, and who can order it, sees this line connect to servers of many messengers,
               by the clock, and to Peyk's server: a trained eye can tell that from a phone. That server sees your address while
               you are connected; it keeps none. Who takes this machine sees that Peyk ran here.
               Where messengers are forbidden this can harm you. If you doubt, do not run it.
What is public Results per network once at least three volunteers measured in it, else for the whole country. If you are alone in
               your country, its results are yours: when somebody there measured, and what came out. Never an agent's name.
How to stop    Ctrl-C, or stop the service. \`peyk agent panic\` deletes its key, its measurements and its settings.
`,
  fa: `پیک اندازه می‌گیرد که پیام‌رسان‌ها از جایی که شما هستید کار می‌کنند یا نه.

چه می‌کند       هر چند دقیقه، مانند گوشی‌ای که برنامه روی آن است، به سرورهای نزدیک سی پیام‌رسان و فروشگاه برنامه
                و چند سایت بی‌طرف وصل می‌شود و زمان آن را می‌سنجد. نه حسابی، نه پیامی، نه مخاطبی.
                روزی چند بار تا ۲۵۶ کیلوبایت از پرونده‌های همگانی می‌گیرد تا ببیند کند شده‌اند یا نه. روزی دست‌بالا ۱۲ مگابایت
                (PEYK_PROFILE: با metered یک و نیم، با control دویست مگابایت).
                از سرورهای همگانی STUN می‌پرسد این خط با چه نشانی‌ای دیده می‌شود، کشور و اپراتور را همین‌جا می‌یابد و نشانی را فراموش می‌کند.
چه می‌فرستد     کدام هدف پرسیده شد، چه وقت، هر گام چقدر طول کشید، چه چیزی شکست خورد؛ و کشور و اپراتور شما به صورت عدد.
                هرگز نشانی، نام، یا آنچه روی این خط می‌کنید فرستاده نمی‌شود.
چه کسی می‌بیند  پیک شما را پنهان نمی‌کند. اپراتور شبکهٔ شما و هر که بتواند به آن دستور دهد می‌بیند که این خط سر ساعت به سرورهای
                چندین پیام‌رسان و به سرور پیک وصل می‌شود: چشم کارآزموده آن را از گوشی بازمی‌شناسد. سرور پیک تا وقتی وصل هستید
                نشانی شما را می‌بیند و نگه نمی‌دارد. کسی که این دستگاه را بگیرد می‌بیند که پیک اینجا اجرا شده است.
                جایی که پیام‌رسان‌ها ممنوع‌اند، این می‌تواند به شما آسیب بزند. اگر تردید دارید، اجرایش نکنید.
چه منتشر می‌شود  نتیجه برای هر شبکه وقتی دست‌کم سه داوطلب در آن سنجیده باشند، وگرنه برای همهٔ کشور. اگر در کشورتان تنها باشید،
                نتیجهٔ کشور از آن شماست: چه وقت کسی آنجا سنجیده و چه درآمده است. نام سنجشگر هرگز.
چگونه بایستد    Ctrl-C یا توقف سرویس. دستور \`peyk agent panic\` کلید، سنجش‌ها و تنظیمات آن را پاک می‌کند.
`,
}

/** Asked on a line of its own. */
const unusualText = {
  en: `PEYK_UNUSUAL=yes: it would also send what no phone with the app sends (plain MTProto, for one). Who watches the line can tell it
from ordinary use. Leave it off unless you know why you want it.`,
  fa: 'با PEYK_UNUSUAL=yes چیزهایی هم می‌فرستد که هیچ گوشی‌ای نمی‌فرستد و از کاربرد عادی بازشناختنی است. اگر نمی‌دانید چرا، خاموش بگذارید.',
}

type Given = { text: number; unusual: boolean }
const isGiven = (value: unknown): value is Given => typeof (value as Partial<Given> | null)?.text === 'number'

export type ConsentOptions = {
  folder: string
  /** Whether unusual probes are asked for. */
  unusual: boolean
  /** Given on the command line, for fleets. */
  yes: boolean
  input: NodeJS.ReadableStream & { isTTY?: boolean }
  say: (text: string) => void
}

/**
 * Whether the owner of this machine agreed, now or before. On a terminal people are asked, twice where unusual probes are
 * wanted. Where nobody can be asked, the text is shown and starting the agent counts as agreeing to ordinary probes.
 */
export const agreed = async ({ folder, unusual, yes, input, say }: ConsentOptions): Promise<boolean> => {
  const file = join(folder, 'consent.json')
  const given = await readJson(file, isGiven)
  if (given && given.text >= TEXT_VERSION && (given.unusual || !unusual)) return true
  say(`${consentText.en}\n${consentText.fa}\n`)
  if (unusual) say(`${unusualText.en}\n${unusualText.fa}\n`)
  if (!yes && input.isTTY) {
    const lines = createInterface({ input })
    const ask = async (question: string): Promise<boolean> => {
      say(question)
      return /^\s*(y|yes|بله|آری)\s*$/i.test(await lines.question(''))
    }
    try {
      if (!(await ask('Measure from here? / از اینجا بسنجد؟ [y/N] '))) return false
      if (unusual && !(await ask('Unusual probes too? / پرسش‌های نامعمول هم؟ [y/N] '))) return false
    } finally {
      lines.close()
    }
  } else if (!yes) return !unusual
  await writeDurably(file, JSON.stringify({ text: TEXT_VERSION, unusual } satisfies Given))
  return true
}
