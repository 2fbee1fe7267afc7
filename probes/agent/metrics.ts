import { createServer } from 'node:http'
import { type LabelsOf, type Metric, type MetricName, metrics } from '../../measurement/metrics.ts'
import { type Status, statusText } from './status-words.ts'

type AgentMetric = {
  [N in MetricName]: (typeof metrics)[N]['on'] extends 'agent' ? N : never
}[MetricName]

/**
 * The agent's few metrics in Prometheus' text format 0.0.4, from the one table of metrics. A library for servers would
 * weigh more than the rest of the agent.
 */
export class Gauges {
  private readonly series = new Map<string, { name: AgentMetric; value: number }>()

  add<N extends AgentMetric>(name: N, labels: Record<LabelsOf<N>, string>, value = 1): void {
    const key = keyOf(name, labels)
    this.series.set(key, { name, value: (this.series.get(key)?.value ?? 0) + value })
  }

  set<N extends AgentMetric>(name: N, labels: Record<LabelsOf<N>, string>, value: number): void {
    this.series.set(keyOf(name, labels), { name, value })
  }

  text(): string {
    const lines = Object.entries(metrics as Record<string, Metric>)
      .filter(([, { on }]) => on === 'agent')
      .flatMap(([name, { help, type }]) => [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...[...this.series].filter(([, one]) => one.name === name).map(([key, { value }]) => `${key} ${value}`),
      ])
    return `${lines.join('\n')}\n`
  }
}

/** Label values are ids and names of ours, but are escaped all the same. */
const keyOf = (name: string, labels: Record<string, string>): string => {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
  return pairs.length ? `${name}{${pairs.join(',')}}` : name
}

/** Serves `/metrics` and, on `/`, the status: in words to a browser, else as JSON. GET only, nothing else; a name other than this machine's is refused, so that no web page can read it. */
export const serveMetrics = async (
  { host, port }: { host: string; port: number },
  pages: { metrics: () => string; status: () => Status },
): Promise<{ port: number; close: () => Promise<void> }> => {
  const server = createServer((request, response) => {
    const name = request.headers.host?.replace(/:\d+$/, '') ?? ''
    const answer = (status: number, type: string, body: string) =>
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
    if (request.method !== 'GET') answer(405, 'text/plain', 'GET only\n')
    else if (/^127\./.test(host) && !/^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(name))
      answer(403, 'text/plain', '')
    else if (request.url === '/metrics') answer(200, 'text/plain; version=0.0.4', pages.metrics())
    else if (request.url === '/' && request.headers.accept?.includes('text/html'))
      answer(200, 'text/plain; charset=utf-8', statusText(pages.status()))
    else if (request.url === '/') answer(200, 'application/json', JSON.stringify(pages.status(), null, 2))
    else answer(404, 'text/plain', 'Here are / and /metrics\n')
  })
  server.requestTimeout = 5_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve)
  })
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound ? bound.port : port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
