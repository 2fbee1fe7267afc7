import { en } from './en.ts'
import type { Strings } from './language.ts'
export const fa: Strings = en
