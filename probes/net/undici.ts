import methods from 'undici/lib/api/index.js'
import Client from 'undici/lib/dispatcher/client.js'
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js'
import Pool from 'undici/lib/dispatcher/pool.js'
import ProxyAgent from 'undici/lib/dispatcher/proxy-agent.js'
import Socks5ProxyAgent from 'undici/lib/dispatcher/socks5-proxy-agent.js'

/** undici as far as an agent needs it. Its index brings fetch, caches and WebSockets too: 11 MB of memory for nothing. */
export { Client, Pool, ProxyAgent, Socks5ProxyAgent }

// As its index does.
Object.assign(Dispatcher.prototype, methods)
