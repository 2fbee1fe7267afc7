import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Exporter } from './exporter.ts'

/** /metrics on a port of its own, so that the page's port can be public and this one need not. */
export const serveMetrics = async (
  exporter: Exporter,
  host: string,
  port: number,
  failed: (error: Error) => void = () => undefined,
): Promise<{ url: string; close(): Promise<void> }> => {
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000 }, (request, response) => {
    if (request.url !== '/metrics' || request.method !== 'GET') {
      response.writeHead(404).end()
      return
    }
    exporter.render().then(
      text => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
      // A scrape that fails is seen by Prometheus; one with half the state would look like all is well.
      (error: Error) => {
        failed(error)
        response.writeHead(500).end()
      },
    )
  })
  await listen(server, host, port)
  const { address, family, port: taken } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}/metrics`,
    close: async () => {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

const listen = (server: Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
