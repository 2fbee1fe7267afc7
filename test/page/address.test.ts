import fc from 'fast-check'
import { expect, test } from 'vitest'
import { operations } from '../../measurement/step.ts'
import { features } from '../../measurement/target.ts'
import { type Address, addressOf, home, instantOf, instantText, linkTo } from '../../server/page/address.ts'
import { languages } from '../../server/page/strings/language.ts'

const parse = (link: string) => addressOf(new URL(link, 'http://page.test'))

/** Whole minutes of 1970 to 2100, which is as fine as a link is. */
const minutes = fc.integer({ min: 0, max: 68_000_000 }).map(count => count * 60)
const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null })

const addresses: fc.Arbitrary<Address> = fc
  .record({
    finding: orNull(fc.stringMatching(/^[\w-]{1,40}$/)),
    revision: orNull(fc.integer({ min: 1, max: 9_999_999 })),
    country: orNull(fc.stringMatching(/^[A-Z]{2}$/)),
    app: orNull(fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,31}$/)),
    feature: fc.constantFrom(...features),
    at: orNull(minutes),
    span: orNull(fc.tuple(minutes, fc.integer({ min: 1, max: 1_000_000 }))),
    step: orNull(fc.constantFrom('5m', '1h', '1d')),
    networks: fc.uniqueArray(fc.integer({ min: 0, max: 4_294_967_295 }), { maxLength: 10 }),
    operation: orNull(fc.constantFrom(...operations)),
    find: fc.string({ maxLength: 40, unit: 'binary' }).map(text => text.toWellFormed()),
    all: fc.boolean(),
    kinds: fc.uniqueArray(fc.constantFrom('block', 'rumor', 'app-store-removal'), { maxLength: 3 }),
    confidence: fc.constantFrom('rumor', 'reported', 'confirmed'),
    quiet: fc.boolean(),
    event: orNull(fc.stringMatching(/^[a-z0-9][a-z0-9-]{4,79}$/)),
    language: fc.constantFrom(...languages),
  })
  .map(({ span, ...rest }) => ({
    ...rest,
    from: span?.[0] ?? null,
    to: span && span[0] + span[1] * 60,
  }))

test('a link read back is the view it was made of', () => {
  fc.assert(
    fc.property(addresses, address => {
      expect(parse(linkTo(address))).toEqual(address)
    }),
  )
})

test('the bare page is the matrix of the present, and its link is bare', () => {
  expect(parse('/')).toEqual({ ...home, language: 'en' })
  expect(linkTo({ ...home, language: 'en' })).toBe('/')
})

test('what is wrong in a link counts as absent', () => {
  const wrong = parse(
    '/?country=kenya&app=../x&feature=smell&at=yesterday&from=2023-12-01&to=2023-11-01&networks=1,x,-3,1&operation=__proto__&confidence=sure&event=%3Cscript%3E&lang=xx',
  )
  expect(wrong).toEqual({ ...home, networks: [1], language: 'en' })
})

test('a day that does not exist is no day', () => {
  expect(instantOf('2023-06-31')).toBeNull()
  expect(instantOf('2023-02-29T10:00Z')).toBeNull()
  expect(instantOf('2023-11-09T09:00')).toBeNull()
  expect(instantOf('2024-02-29T10:00Z')).toBe(Date.UTC(2024, 1, 29, 10) / 1_000)
})

test('an instant is written as short as it can be', () => {
  expect(instantText(Date.UTC(2023, 10, 9) / 1_000)).toBe('2023-11-09')
  expect(instantText(Date.UTC(2023, 10, 9, 7, 5) / 1_000)).toBe('2023-11-09T07:05Z')
})
