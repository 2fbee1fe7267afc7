import type { App } from '../../measurement/app.ts'
import type { Measurement } from '../../measurement/measurement.ts'
import type { Target } from '../../measurement/target.ts'

export type Family = Measurement['family']
export type Role = 'vantage' | 'control' | 'operator'

/** Where this agent stands when it is planned what to measure. */
export type Place = { country: string; role: Role; families: ReadonlySet<Family> }

/** What its owner allows. */
export type Consent = {
  /** Probes a phone with the app would not send. */
  unusual: boolean
  /** Targets on the loopback: lab and tests. */
  loopback: boolean
  /** Only these apps, and the controls; null for all. */
  apps: readonly string[] | null
}

/** What is needed of a catalogue to plan. */
export type Offer = {
  apps: readonly App[]
  forbidden: Readonly<Record<string, readonly string[]>>
  /** By country, seconds between two runs on an address a filter may react to. */
  spacing?: Readonly<Record<string, number>>
}

/** The app of neutral targets (`measurement/apps/control.ts`). Those every choice of apps needs go with it. */
export const NEUTRAL = 'control'

/** Whether this agent, here and with this consent, may ask the target at all. */
export const mayAsk = (
  { app, target }: { app: App; target: Target },
  { country, role, families }: Place,
  { unusual, loopback, apps }: Consent,
  forbiddenBy: Offer['forbidden'],
): boolean => {
  const forbidden = forbiddenBy[country] ?? []
  return (
    families.has(target.family) &&
    (!target.countries || target.countries.includes(country)) &&
    (!target.roles || target.roles.includes(role)) &&
    (target.risk === 'ordinary' || unusual) &&
    (target.address === 'public' || loopback) &&
    (!apps || target.control !== undefined || isPartner(app, target) || apps.includes(app.id)) &&
    !forbidden.includes(target.risk) &&
    !forbidden.includes(target.id)
  )
}

const isPartner = (app: App, target: Target): boolean => app.id === NEUTRAL && target.kind === 'transfer'
