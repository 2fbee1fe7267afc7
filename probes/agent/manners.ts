import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
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

/** NMMetered of NetworkManager: 1 yes, 3 guessed so (a phone's tether). */
const METERED = /^u [13]$/
const ASKED = [
  'org.freedesktop.NetworkManager',
  '/org/freedesktop/NetworkManager',
  'org.freedesktop.NetworkManager',
  'Metered',
]

/** Whether this machine's line is paid by the byte, where NetworkManager tells (Linux). `program` speaks D-Bus as busctl(1) does. */
export const onMetered = (program = 'busctl'): Promise<boolean> =>
  new Promise(resolve => {
    if (process.platform !== 'linux') return resolve(false)
    execFile(program, ['get-property', ...ASKED], { timeout: 2_000 }, (error, said) =>
      resolve(!error && METERED.test(said.trim())),
    )
  })

/** Share of this machine's processors that did nothing since the last call, 0 to 1. */
export const idleMeter = (read: typeof cpus = cpus): (() => number) => {
  const totals = () => {
    const times = read().map(({ times }) => times)
    const all = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0)
    return { all, idle: times.reduce((sum, { idle }) => sum + idle, 0) }
  }
  let last = totals()
  return () => {
    const now = totals()
    const share = now.all > last.all ? (now.idle - last.idle) / (now.all - last.all) : 1
    last = now
    return share
  }
}
