import { once } from 'node:events'
import { createServer } from 'node:http'

/** Inside the server's namespace: an object of a megabyte on each port, by range. */
const ports = JSON.parse(process.argv[2]!) as number[]
const body = Buffer.alloc(2 ** 20, 7)
for (const port of ports) {
  const server = createServer((request, response) => {
    const [, last = '0'] = /^bytes=0-(\d+)$/.exec(request.headers.range ?? '') ?? []
    const bytes = Math.min(Number(last) + 1, body.length)
    const range = { 'content-length': bytes, 'content-range': `bytes 0-${bytes - 1}/${body.length}` }
    response.writeHead(206, range).end(body.subarray(0, bytes))
  })
  server.listen(port, '0.0.0.0')
  await once(server, 'listening')
}
console.log('ready')
