/** Writes boards, rules, alerts and the configuration of the stack as JSON and YAML. */
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { loadEvents } from '../events/load.ts'
import type { Settings } from './board.ts'
import { boards } from './boards/boards.ts'

/** What the committed files say; a stack elsewhere renders its own. */
export const defaults: Omit<Settings, 'events'> = {
  peykUrl: 'http://127.0.0.1:8400',
  grafanaUrl: 'http://127.0.0.1:3000',
  runbookUrl: 'docs/runbooks',
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`

/** Every generated file: path inside the folder, and text. The same input gives the same text. */
export function files(settings: Settings): Map<string, string> {
  return new Map([...boards(settings).map(board => [`dashboards/${board.uid}.json`, json(board)] as const)])
}

/** Replaces the folder by the generated files; resolves to their paths. */
export async function renderAll(folder: string, own: Partial<Omit<Settings, 'events'>> = {}): Promise<string[]> {
  const made = files({ ...defaults, ...own, events: loadEvents() })
  await rm(folder, { recursive: true, force: true })
  return Promise.all(
    [...made].map(async ([path, text]) => {
      const whole = join(folder, path)
      await mkdir(dirname(whole), { recursive: true })
      await writeFile(whole, text)
      return whole
    }),
  )
}
