import { renderSettings } from '../dashboards/render.ts'
import { settings as ofAgent } from '../probes/agent/settings.ts'
import { settings as ofHelper } from '../probes/helper/settings.ts'
import { settings as ofServer } from '../server/config.ts'

/** Tables of settings, written from the tables that programs read them by. */

type Setting = { default: string; text: string }

const cell = (text: string): string => text.replaceAll('|', '\\|')
const line = (...cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
const shown = (value: string): string => (value === '' ? '' : `\`${value}\``)

const rows = (settings: Readonly<Record<string, Setting>>, who?: string): [string, string][] =>
  Object.entries(settings).map(([name, { default: fallback, text }]) => [
    name,
    line(`\`${name}\``, ...(who ? [who] : []), shown(fallback), text),
  ])

const table = (settings: Readonly<Record<string, Setting>>): string =>
  ['| setting | default | meaning |', '|---|---|---|', ...rows(settings).map(([, text]) => text)].join('\n')

export const serverSettings = (): string => table(ofServer)
export const agentSettings = (): string => table(ofAgent)
export const helperSettings = (): string => table(ofHelper)
const ofBoards = Object.fromEntries(
  Object.entries(renderSettings).map(([name, [fallback, text]]) => [name, { default: fallback, text }]),
)

/** All in one table, for README. */
export const allSettings = (): string => {
  const all = [
    ...rows(ofServer, 'server'),
    ...rows(ofAgent, 'agent'),
    ...rows(ofHelper, 'helper'),
    ...rows(ofBoards, 'dashboards'),
  ]
  return ['| setting | of | default | meaning |', '|---|---|---|---|', ...all.map(([, text]) => text)].join('\n')
}

/** The text with what stands between `<!-- name -->` and `<!-- /name -->` replaced. Throws where the marks are missing. */
export const between = (text: string, name: string, content: string): string => {
  const marks = new RegExp(`(<!-- ${name}[^>]*-->\n)[^]*?(<!-- /${name} -->)`)
  if (!marks.test(text)) throw new Error(`The marks <!-- ${name} --> and <!-- /${name} --> are missing.`)
  return text.replace(marks, (_, open: string, close: string) => `${open}\n${content}\n\n${close}`)
}
