import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import { diagnosis, ordinary } from './defaults.ts'

/**
 * Flows to Peyk's own helper (docs/helper.md). These are templates: whoever signs a catalogue says where their helper is,
 * and without one they are not in it. `.invalid` leads nowhere (RFC 6761 §6.4).
 */
const HELPER = 'helper.invalid'

/** The apps with their flows to the helper at this name or IPv4 address, or without them. */
export const withHelper = (apps: readonly App[], helper: string | null): App[] =>
  apps.map(app => ({
    ...app,
    targets: app.targets.flatMap(target => {
      if (target.host !== HELPER) return [target]
      const address = helper?.startsWith('127.') ? ('loopback' as const) : ('public' as const)
      return helper === null ? [] : [{ ...target, host: helper, address }]
    }),
  }))

export const isTemplate = ({ host }: { host: string }): boolean => host === HELPER

type Flow = Extract<TargetOf<'transfer'>['ask']['of'], { over: string }>
type Told = Pick<TargetOf<'transfer'>, 'id' | 'feature' | 'port' | 'pairs'> & Partial<Flow>

const flow = ({ id, feature, port, pairs, ...of }: Told): TargetOf<'transfer'> => ({
  ...ordinary,
  ...diagnosis,
  id,
  feature,
  host: HELPER,
  port,
  // No phone speaks to the helper, least of all under an app's name.
  risk: 'unusual',
  timeout: 60,
  source: 'probes/helper',
  healthy: 'The bytes that were asked for.',
  ...(pairs ? { pairs } : {}),
  kind: 'transfer',
  ask: { bytes: 262_144, trains: 2, of: { over: 'tcp', sni: null, shape: 'random', up: false, ...of } },
})

const against = (control: string, differs: 'name' | 'protocol' | 'port') => [
  { with: `control.helper.${control}`, differs },
]

/** Under the app's name and under none a filter looks for: all else is the same, address included. */
const named = (app: string, feature: Told['feature'], sni: string): TargetOf<'transfer'> =>
  flow({ id: `${app}.helper.name`, feature, port: 443, over: 'tls', sni, pairs: against('name', 'name') })

export const controlFlows: readonly TargetOf<'transfer'>[] = [
  flow({ id: 'control.helper.name', feature: 'web', port: 443, over: 'tls', sni: 'example.com' }),
  flow({ id: 'control.helper.websocket', feature: 'web', port: 443, over: 'websocket', sni: 'example.com' }),
  flow({ id: 'control.helper.random', feature: 'text', port: 443 }),
  flow({ id: 'control.helper.random.up', feature: 'text', port: 443, up: true }),
  flow({ id: 'control.helper.datagrams', feature: 'voice-call', port: 599, over: 'udp' }),
  flow({ id: 'control.helper.call', feature: 'voice-call', port: 443, over: 'udp', shape: 'call' }),
]

/** What Telegram's phones, browsers and calls look like, each beside a flow that does not. */
export const telegramFlows: readonly TargetOf<'transfer'>[] = [
  named('telegram', 'web', 'web.telegram.org'),
  flow({
    ...{ id: 'telegram.helper.websocket', feature: 'web', port: 443, over: 'websocket', sni: 'venus.web.telegram.org' },
    pairs: against('websocket', 'name'),
  }),
  flow({
    ...{ id: 'telegram.helper.mtproto', feature: 'text', port: 443, shape: 'obfuscated2' },
    pairs: against('random', 'protocol'),
  }),
  flow({
    ...{ id: 'telegram.helper.mtproto.up', feature: 'text', port: 443, shape: 'obfuscated2', up: true },
    pairs: against('random.up', 'protocol'),
  }),
  flow({ id: 'telegram.helper.port.5222', feature: 'text', port: 5222, pairs: against('random', 'port') }),
  flow({
    ...{ id: 'telegram.helper.call', feature: 'voice-call', port: 599, over: 'udp', shape: 'call' },
    // By turns: they tell a filter of the shape from one of the port, and cost no more than one.
    pairs: [...against('datagrams', 'protocol'), ...against('call', 'port')],
  }),
]

export const signalFlows = [named('signal', 'text', 'chat.signal.org')]
export const whatsappFlows = [named('whatsapp', 'web', 'web.whatsapp.com')]
