import { expect, test } from 'vitest'
import { run } from '../probe-contract.ts'
import { certificate, trust } from '../servers/certificates.ts'
import { loopbackTarget } from '../servers/target.ts'
import { tlsPeer } from '../servers/tcp.ts'

const root = certificate('Test root', { ca: true })
trust(root)
const leaf = certificate('leaf', { issuer: root, hosts: ['localhost'] })

const asking = async (store: 'apple' | 'google', status: string, body: string) => {
  const asked: string[] = []
  await using peer = await tlsPeer({ key: leaf.keyPem, cert: leaf.pem }, socket => {
    socket.once('data', bytes => {
      asked.push(bytes.toString().split(' ')[1] ?? '')
      socket.write(`HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
    })
  })
  const app = store === 'apple' ? '686449807' : 'org.telegram.messenger'
  const result = await run(loopbackTarget('store', peer.port, { store, app, country: 'TR' }, { host: 'localhost' }))
  return { ...result, asked }
}

test('each store is asked as its clients ask', async () => {
  expect((await asking('apple', '200 OK', '{"resultCount":1,"results":[{}]}')).asked).toEqual([
    '/lookup?id=686449807&country=tr&entity=software',
  ])
  expect((await asking('google', '200 OK', '<html>')).asked).toEqual([
    '/store/apps/details?id=org.telegram.messenger&hl=en&gl=TR',
  ])
})

test.each<['apple' | 'google', string, string, string | null]>([
  ['apple', '200 OK', '{"resultCount":1,"results":[{}]}', null],
  ['apple', '200 OK', '{"resultCount":0,"results":[]}', 'store_not_listed'],
  ['apple', '400 Bad Request', '{"errorMessage":"Invalid value(s) for key(s): [country]"}', 'store_no_storefront'],
  ['apple', '400 Bad Request', '{"errorMessage":"Invalid value(s) for key(s): [id]"}', 'http_unexpected_status_code'],
  ['apple', '403 Forbidden', '', 'http_unexpected_status_code'],
  ['apple', '200 OK', '<html>', 'json_parse_error'],
  ['apple', '200 OK', '{"results":[]}', 'http_answer_unexpected'],
  ['google', '200 OK', '<html>', null],
  ['google', '404 Not Found', '', 'store_not_listed'],
  ['google', '302 Found', '', 'http_unexpected_status_code'],
])('%s: %s %s', async (store, status, body, failure) => {
  const { steps } = await asking(store, status, body)
  expect(steps.at(-1)).toMatchObject({ operation: 'http_round_trip', failure, code: Number(status.slice(0, 3)) })
})
