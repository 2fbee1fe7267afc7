import { Value } from 'typebox/value'
import { isPublicAddress } from './address.ts'
import { App } from './app.ts'
import { isTemplate } from './apps/helper.ts'
import { apps, CONTROL } from './catalogue.ts'
import { pairBytes } from './judge/leg.ts'
import { probeKinds } from './step.ts'
import { FILTER_SPACING, resolversOf, type Target, targetSchema } from './target.ts'

/**
 * What is wrong with a catalogue, each with its file and field; empty where nothing is. The compiler finds most of it,
 * this the rest: patterns, ranges, and the laws between fields. Programs that measure or store ask it before they
 * start, and stop on a fault. (Not in catalogue.ts: the page imports that, and needs no schemas.)
 */
export const catalogueFaults = (of: readonly App[] = apps): string[] => [
  ...of.flatMap(app =>
    [...schemaFaults(app), ...appFaults(app)].map(fault => `measurement/apps/${app.id}.ts: ${fault}`),
  ),
  ...of.flatMap(({ id, targets }) =>
    targets.flatMap(target =>
      pairFaults(target, of).map(fault => `measurement/apps/${id}.ts: target ${target.id}: ${fault}`),
    ),
  ),
  ...repeated(of).map(id => `measurement/apps: target ${id}: /id stands twice`),
]

const schemaFaults = ({ targets, ...app }: App): string[] => [
  ...[...Value.Errors(App, app)].map(error => `${error.instancePath || '/'} ${error.message}`),
  ...targets.flatMap(target => {
    const said = (fault: string) => `target ${target.id}: ${fault}`
    if (!probeKinds.includes(target.kind)) return [said(`/kind must be one of ${probeKinds.join(', ')}`)]
    return [...Value.Errors(targetSchema(target.kind), target)].map(error =>
      said(`${error.instancePath || '/'} ${error.message}`),
    )
  }),
]

/** Bytes of the largest leg of a pair (`judge/leg.ts`). */
const MOST_PAIRED = Math.max(...Object.values(pairBytes))

/** What is wrong with the pairs of a transfer: its controls must be transfers too, large enough, and of its family. */
const pairFaults = (target: Target, of: readonly App[]): string[] => {
  const { pairs = [] } = target
  if (pairs.length === 0) return []
  if (target.kind !== 'transfer') return ['/pairs is for targets of kind transfer']
  const all = of.flatMap(({ targets }) => targets)
  const small =
    target.ask.bytes < MOST_PAIRED ? [`/ask/bytes must be at least ${MOST_PAIRED} where there are /pairs`] : []
  const wrong = pairs.filter(({ with: id, differs }) => {
    const control = all.find(one => one.id === id)
    if (control?.kind !== 'transfer' || control.ask.bytes < MOST_PAIRED || control.id === target.id) return true
    return control.family !== target.family || (control.host === target.host) !== (differs !== 'place')
  })
  return [
    ...small,
    ...wrong.map(
      ({ with: id, differs }) =>
        `/pairs: ${id} must be another transfer of ${MOST_PAIRED} bytes or more, of the same family, and of the same host unless it differs in place (here: ${differs})`,
    ),
  ]
}

const repeated = (of: readonly App[]): string[] => {
  const ids = of.flatMap(({ targets }) => targets.map(({ id }) => id))
  return ids.filter((id, at) => ids.indexOf(id) < at)
}

const appFaults = (app: App): string[] => [
  ...(app.status === 'retired' && app.targets.length > 0 ? ['/targets must be empty where /status is retired'] : []),
  ...(app.status === 'retired' && !app.note ? ['/note must say when and why it was retired'] : []),
  ...app.targets.flatMap(target => lawsBroken(app, target).map(fault => `target ${target.id}: ${fault}`)),
]

/** These ask nothing that a filter of the app could see, or ask somebody else's address. */
const harmless = (app: App, target: Target): boolean =>
  app.id === CONTROL || target.kind === 'store' || (target.kind === 'dns' && target.ask.resolver !== 'system')

const lawsBroken = (app: App, target: Target): string[] => {
  const { experimental, decides, confidence, spacing, control } = target
  const laws: [holds: boolean, fault: string][] = [
    [target.id.startsWith(`${app.id}.`), `/id must begin with ${app.id}.`],
    [!experimental || decides === 'no', '/decides must be no while /experimental is true'],
    [confidence !== 'unverified' || experimental, '/experimental must be true where /confidence is unverified'],
    [spacing >= FILTER_SPACING || harmless(app, target), `/spacing must be at least ${FILTER_SPACING}`],
    [control === undefined || app.id === CONTROL, '/control is for targets of the app control'],
    [control !== 'domestic' || Boolean(target.countries?.length), '/countries must say whose domestic control it is'],
    [
      target.kind !== 'store' || (target.roles?.join() === 'control' && decides === 'no'),
      '/roles of a listing must be control, /decides no',
    ],
    [
      target.kind !== 'dns' || !target.ask.against || (target.ask.resolver === 'system' && target.ask.type !== 'TXT'),
      '/ask/against is for addresses from the system’s resolver',
    ],
    [
      target.kind !== 'transfer' || decides === 'no',
      '/decides must be no: how fast a file comes is not whether the app answers',
    ],
    [target.risk === 'ordinary' || decides === 'no', '/decides must be no where /risk is unusual: few agents ask it'],
    [
      target.address === 'loopback' || isTemplate(target) || addressesOf(target).every(isPublicOrName),
      '/host must be a name or a public address',
    ],
    [familyFits(target), '/family must be that of the address in /host'],
  ]
  return laws.filter(([holds]) => !holds).map(([, fault]) => fault)
}

const addressesOf = (target: Target): string[] => [target.host, ...resolversOf(target)]

const isAddress = (host: string): boolean => host.includes(':') || /^[\d.]+$/.test(host)
const isPublicOrName = (host: string): boolean =>
  isAddress(host) ? isPublicAddress(host) : !/(^|\.)(localhost|local|internal|test|invalid)$/.test(host)

const familyFits = ({ host, family }: Target): boolean => !isAddress(host) || (family === 'v6') === host.includes(':')
