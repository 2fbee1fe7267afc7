import { constants, createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { BatchReceipt } from '../measurement/report.ts'
import { SettingsError } from '../measurement/settings.ts'
import type { Admin } from './agents-command.ts'

/** What one request carries: lines up to so many characters, or so many of them. */
const MOST = { characters: 8 * 2 ** 20, lines: 500 }

type Refused = { file: string; line: number; reason: string }

/**
 * `peyk import spool FILE…`: hands what agents exported to the server, a piece at a time. Importing a file again, or
 * after it broke off, changes nothing. Gives the exit code: 1 where lines were refused.
 */
export const importSpools = async (files: readonly string[], admin: Admin): Promise<number> => {
  let stored = 0
  const refused: Refused[] = []
  for (const file of files) {
    await access(file, constants.R_OK).catch(() => {
      throw new SettingsError(`${file} cannot be read.`)
    })
    let piece: string[] = []
    let characters = 0
    let first = 1
    const send = async () => {
      const body = { type: 'application/x-peyk-spool', text: piece.join('\n') }
      const { receipts } = (await admin('POST', '/v1/admin/spool', body)) as { receipts: BatchReceipt[] }
      for (const [at, receipt] of receipts.entries()) {
        if (receipt.outcome === 'stored') stored++
        else refused.push({ file, line: first + at, reason: receipt.reason })
      }
      first += piece.length
      piece = []
      characters = 0
    }
    for await (const line of createInterface({ input: createReadStream(file, 'latin1') })) {
      if (characters + line.length > MOST.characters && piece.length) await send()
      piece.push(line || '-') // An empty line is none of a spool, and keeps the count of lines.
      characters += line.length
      if (piece.length >= MOST.lines) await send()
    }
    if (piece.length) await send()
  }
  for (const { file, line, reason } of refused.slice(0, 100)) process.stderr.write(`${file}:${line}: ${reason}\n`)
  process.stdout.write(`${stored} batches stored, ${refused.length} refused\n`)
  return refused.length ? 1 : 0
}
