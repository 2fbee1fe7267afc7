import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { probeKinds } from '../measurement/step.ts'
import { pages, root } from './docs.ts'

test.each(Object.entries(pages))('%s is what the code says; `npm run docs` writes it', (path, page) => {
  expect(readFileSync(join(root, path), 'utf8')).toBe(page())
})

test.each([...probeKinds])('the probe kind %s has its page', kind => {
  expect(existsSync(join(root, 'docs/probes', `${kind}.md`)), `docs/probes/${kind}.md`).toBe(true)
})
