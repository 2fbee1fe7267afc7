import type { en } from './en.ts'

/** Languages of the page; each is one file beside this one. */
export const languages = ['en', 'fa'] as const
export type Language = (typeof languages)[number]

/** Everything the page says, in one language. English is the pattern. */
export type Strings = typeof en

export const directionOf = (language: string): 'ltr' | 'rtl' =>
  ['fa', 'ar', 'ckb', 'ur', 'he'].includes(language) ? 'rtl' : 'ltr'
