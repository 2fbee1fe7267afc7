import type { Logger } from 'pino'
import type { Config } from './config.ts'
import type { Meter } from './exporter.ts'
import type { Facts } from './facts.ts'
import { currentDegradations } from './findings.ts'
import { Notifier } from './notify.ts'
import { type AgentOrigin, labelsOf } from './origin.ts'
import { onlyPublic } from './public-findings.ts'
import { RemoteWrite } from './remote-write.ts'
import type { Store } from './store/store.ts'

/** What the server sends of its own accord: rollups by remote write, and notifications; each only where it has an address. */
export type Outgoing = {
  remoteWrite: RemoteWrite | undefined
  notifier: Notifier
  start(): void
  stop(): Promise<void>
}

export type OutgoingParts = {
  config: Config
  store: Store
  origin: AgentOrigin
  facts: Facts
  meter: Meter
  now: () => number
  log: Pick<Logger, 'error'>
}

export const outgoingOf = ({ config, store, origin, facts, meter, now, log }: OutgoingParts): Outgoing => {
  const failed = (what: string) => (error: Error) => log.error({ reason: error.message.slice(0, 300) }, what)
  const remoteWrite =
    config.PEYK_REMOTE_WRITE_URL === null
      ? undefined
      : new RemoteWrite({
          ...{ url: config.PEYK_REMOTE_WRITE_URL, window: config.PEYK_REMOTE_WRITE_WINDOW, store, facts, meter, now },
          labels: labelsOf(origin),
          failed: failed('rollups could not be pushed; trying again'),
        })
  const notifier = new Notifier({
    ...{ webhook: config.PEYK_NOTIFY_WEBHOOK, alertmanager: config.PEYK_NOTIFY_ALERTMANAGER, facts, meter, now },
    open: () => currentDegradations(store, {}),
    onlyPublic: degradations => onlyPublic(store, degradations),
    failed: (channel, error) => failed(`the ${channel} could not be told; trying again`)(error),
  })
  return {
    remoteWrite,
    notifier,
    start: () => {
      remoteWrite?.start()
      notifier.start()
    },
    stop: async () => {
      await remoteWrite?.stop()
      await notifier.stop()
    },
  }
}
