import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { expect, test } from 'vitest'
import { App } from '../../measurement/app.ts'
import { allTargets, apps } from '../../measurement/catalogue.ts'
import { targetSchema } from '../../measurement/target.ts'

const errorsOf = (schema: TSchema, value: unknown): string[] =>
  [...Value.Errors(schema, value)].map(error => `${error.instancePath} ${error.message}`)

test('every app is well formed', () => {
  for (const { targets: _, ...app } of apps) expect(errorsOf(App, app), app.id).toEqual([])
})

test('every target is well formed, under its own kind’s schema', () => {
  for (const { target } of allTargets()) expect(errorsOf(targetSchema(target.kind), target), target.id).toEqual([])
})

test('ids are unique, begin with their app, and no two targets of an app ask the same thing', () => {
  const all = apps.flatMap(app => app.targets.map(target => ({ app, target })))
  expect(new Set(all.map(({ target }) => target.id)).size).toBe(all.length)
  for (const { app, target } of all) expect(target.id.startsWith(`${app.id}.`), target.id).toBe(true)
  const asked = all.map(({ app, target: { host, port, kind, ask, family } }) =>
    JSON.stringify([app.id, host, port, kind, ask, family]),
  )
  expect(asked.filter((ask, at) => asked.indexOf(ask) !== at)).toEqual([])
})

test('a target with a wrong field is refused, with the field in the message', () => {
  const { target } = allTargets()[0]!
  expect(errorsOf(targetSchema(target.kind), { ...target, spacing: 5 })).toEqual(['/spacing must be >= 60'])
})
