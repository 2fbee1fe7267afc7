import { readConfig } from '../../server/config.ts'
import { startServer } from '../../server/server.ts'
import { openEmbedded } from '../../server/store/chdb.ts'
import { migrate } from '../../server/store/schema.ts'

/** A server to be killed: settings from the environment, agents to admit as arguments, its address on standard output. */
const config = readConfig({ ...process.env, PEYK_PORT: '0', PEYK_METRICS_PORT: '0', PEYK_LOG: 'error' })
const store = await openEmbedded(config.PEYK_DATA)
await migrate(store)
const { url } = await startServer(config, {
  store,
  catalogue: () => ({ bytes: Buffer.from('none'), version: 1 }),
  operators: process.argv.slice(2),
  version: '0.1.0',
})
console.log(JSON.stringify({ url }))
