import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Hours in which nothing is measured, as minutes of the day on this machine's clock; may pass midnight. */
export type Quiet = { from: number; to: number }

export const parseQuiet = (text: string): Quiet | null => {
  const [, h1, m1, h2, m2] = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? []
  return h1 === undefined ? null : { from: Number(h1) * 60 + Number(m1), to: Number(h2) * 60 + Number(m2) }
}

export const isQuiet = ({ from, to }: Quiet, at: Date): boolean => {
  const minute = at.getHours() * 60 + at.getMinutes()
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to
}

const SUPPLIES = '/sys/class/power_supply'

/** Whether this machine runs on its battery, where the system tells (Linux): it has a mains supply, and none is plugged in. */
export const onBattery = (folder: string = SUPPLIES): boolean => {
  try {
    const read = (supply: string, name: string) => readFileSync(join(folder, supply, name), 'latin1').trim()
    const mains = readdirSync(folder).filter(supply => read(supply, 'type') === 'Mains')
    return mains.length > 0 && mains.every(supply => read(supply, 'online') === '0')
  } catch {
    return false
  }
}
