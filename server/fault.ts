import type { Static, TProperties, TSchema } from 'typebox'
import type { Validator } from 'typebox/compile'
import type { TLocalizedValidationError } from 'typebox/error'
import { Problem } from './problem.ts'

/** Longest pattern repeated to the one who broke it. */
const READABLE = 120

/** What is wrong with a value, by a schema: where (JSON pointer) and what it must be. Never what it is. */
export type Fault = { field: string; must: string }

/** The first error worth telling of a schema's list, which also holds every branch of a union that was tried. */
export const firstFault = (errors: readonly TLocalizedValidationError[]): Fault => {
  const telling = errors.find(({ keyword, message }) => keyword !== 'anyOf' && message !== 'must be null') ?? errors[0]
  if (!telling) return { field: '', must: 'must be as the schema says' }
  const { instancePath, keyword, message } = telling
  switch (telling.keyword) {
    case 'required':
      return { field: `${instancePath}/${telling.params.requiredProperties[0]}`, must: 'must be there' }
    case 'boolean':
    case 'additionalProperties':
      // The pointer would end in the name somebody else chose.
      return {
        field: keyword === 'boolean' ? instancePath.replace(/\/[^/]*$/, '') : instancePath,
        must: 'must have no fields but those of the schema',
      }
    case 'enum':
      return { field: instancePath, must: `must be one of ${telling.params.allowedValues.join(', ')}` }
    default:
      return { field: instancePath, must: message.length > READABLE ? 'must be one that the schema names' : message }
  }
}

/** A body of bytes as what its schema says; throws the Problem that names the field. */
export const readBody = <S extends TSchema>(valid: Validator<TProperties, S>, body: Buffer): Static<S> => {
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch {
    throw new Problem('bad-request', 'must be JSON', { field: 'body' })
  }
  if (valid.Check(value)) return value as Static<S>
  const { field, must } = firstFault(valid.Errors(value))
  throw new Problem('bad-request', must, { field: `body${field}` })
}
