import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openEmbedded } from '../../server/store/chdb.ts'
import { Held, lock } from '../../server/store/lock.ts'
import { storeContract } from './store-contract.ts'

const folder = () => mkdtempSync(join(tmpdir(), 'peyk-'))

storeContract('embedded', () => openEmbedded(folder()))

test('a folder in use is refused, with the process and its address; a stale lock is taken over', () => {
  const data = folder()
  writeFileSync(join(data, 'lock'), JSON.stringify({ pid: 1, url: 'http://127.0.0.1:8400' }))
  expect(() => lock(data)).toThrow(Held)
  expect(() => lock(data)).toThrow(/process 1 \(http:\/\/127\.0\.0\.1:8400\): stop it, or choose/)
  writeFileSync(join(data, 'lock'), JSON.stringify({ pid: 2 ** 22 + 1, url: null }))
  lock(data).release()
  lock(data).release()
})
