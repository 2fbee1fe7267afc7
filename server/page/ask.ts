import { useEffect, useState } from 'preact/hooks'

/** An answer of the server that is not the one asked for: its problem (RFC 9457), or that it cannot be reached. */
export class Trouble extends Error {
  readonly status: number
  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}

export type Query = Record<string, string | number | null | undefined>

/** The address of an answer, for asking and for handing on to readers who want the data. */
export function linkOf(path: string, query: Query = {}): string {
  const wanted = Object.entries(query).flatMap(([name, value]) => (value == null ? [] : [[name, `${value}`]]))
  const text = new URLSearchParams(wanted).toString().replaceAll('%3A', ':')
  return text ? `${path}?${text}` : path
}

/** Asks the page's own server. Throws `Trouble`; an aborted question throws what `fetch` throws. */
export async function ask<T>(path: string, query: Query, signal: AbortSignal): Promise<T> {
  let answer: Response
  try {
    answer = await fetch(linkOf(path, query), { signal, headers: { accept: 'application/json' } })
  } catch (error) {
    if (signal.aborted) throw error
    throw new Trouble('', 0)
  }
  const body = await answer.json().catch(() => null)
  if (answer.ok && body !== null) return body as T
  throw new Trouble(body?.detail ?? body?.title ?? answer.statusText, answer.status)
}

export type Asked<T> = { value: T | null; trouble: Trouble | null; waiting: boolean }

/**
 * What `load` answers, asked again whenever `key` changes and, while the tab is visible, every `every` milliseconds. Until
 * the next answer comes the last one stays, so that nothing on the page jumps.
 */
export function useAsked<T>(key: string, load: (signal: AbortSignal) => Promise<T>, every?: number): Asked<T> {
  const [{ of, ...asked }, settle] = useState<Asked<T> & { of: string }>({
    of: key,
    value: null,
    trouble: null,
    waiting: true,
  })
  useEffect(() => {
    const stop = new AbortController()
    const once = async () => {
      try {
        settle({ of: key, value: await load(stop.signal), trouble: null, waiting: false })
      } catch (error) {
        if (stop.signal.aborted) return
        if (!(error instanceof Trouble)) throw error
        settle(last => ({ of: key, value: last.value, trouble: error, waiting: false }))
      }
    }
    settle(last => ({ ...last, waiting: true }))
    void once()
    const timer = every && setInterval(() => document.visibilityState === 'visible' && void once(), every)
    return () => {
      stop.abort()
      if (timer) clearInterval(timer)
    }
  }, [key])
  // From the first moment that something else is asked for, before the effect above begins to ask.
  return { ...asked, waiting: asked.waiting || of !== key }
}
