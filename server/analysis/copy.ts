/** A copy that shares nothing, and in which what was one is one still: an open episode is one of the list. */
export const copy = <T>(value: T, made = new Map<unknown, unknown>()): T => {
  if (typeof value !== 'object' || value === null) return value
  const known = made.get(value)
  if (known) return known as T
  const keep = <C>(copied: C): C => {
    made.set(value, copied)
    return copied
  }
  if (value instanceof Set) return keep(new Set(value)) as T
  if (value instanceof Map) {
    const map = keep(new Map())
    for (const [key, of] of value) map.set(key, copy(of, made))
    return map as T
  }
  if (Array.isArray(value)) {
    const list = keep(value.slice())
    if (typeof list[0] === 'object') for (const [i, of] of list.entries()) list[i] = copy(of, made)
    return list as T
  }
  const object = keep({ ...value })
  for (const key in object) if (typeof object[key] === 'object') object[key] = copy(object[key], made)
  return object
}
