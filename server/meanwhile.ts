import type { PolicyEvent } from '../events/event.ts'
import type { Config } from './config.ts'
import { runServer } from './run.ts'
import { holder } from './store/lock.ts'

/** Run `work` with the address of the server that holds the data folder, or of one of our own meanwhile. */
export const withServer = async <T>(
  config: Config,
  events: readonly PolicyEvent[],
  work: (url: string) => Promise<T>,
): Promise<T> => {
  const url = holder(config.PEYK_DATA)?.url
  if (url) return await work(url)
  const alone = { PEYK_HOST: '127.0.0.1', PEYK_PORT: 0, PEYK_METRICS_HOST: '127.0.0.1', PEYK_METRICS_PORT: 0 }
  const own = await runServer(
    { ...config, ...alone, PEYK_PROXIES: [], PEYK_LOG: 'error' },
    { events, catalogue: () => ({ bytes: Buffer.alloc(0), version: 0 }), origin: null, version: 'meanwhile' },
  )
  try {
    return await work(own.url)
  } finally {
    await own.close()
  }
}
