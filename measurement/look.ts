import type { Verdict } from './verdict.ts'

/** How a verdict looks wherever people see one: the page, the boards, charts in articles. */
export type Look = {
  /** On white paper; at least 4.5 : 1 against #ffffff. */
  light: string
  /** On dark ground; at least 4.5 : 1 against #14181d. */
  dark: string
  /** One character, for places that hold only text. */
  shape: string
  /** The same shape as an SVG path in a box of 16 by 16. */
  path: string
  /** The word people read, in English. */
  word: string
}

const circle = (radius: number) =>
  `M${8 - radius} 8a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0z`

/**
 * No two verdicts share a shape, so nobody needs the colour; works and blocked are blue and red, which the common colour
 * blindnesses keep apart, never green and red.
 */
export const looks: Record<Verdict, Look> = {
  insufficient: {
    light: '#667079',
    dark: '#8b96a1',
    shape: '○',
    path: `${circle(6)}M3.6 8a4.4 4.4 0 1 1 8.8 0a4.4 4.4 0 1 1 -8.8 0z`,
    word: 'too little data',
  },
  ok: { light: '#14718f', dark: '#5cbcdb', shape: '●', path: circle(6), word: 'ok' },
  slow: { light: '#7d6000', dark: '#e8c547', shape: '▼', path: 'M1.5 3h13L8 14.5z', word: 'slow' },
  throttled: { light: '#a84d00', dark: '#ff9f45', shape: '◆', path: 'M8 1l7 7-7 7-7-7z', word: 'throttled' },
  partial: { light: '#ab2f7b', dark: '#f28bc4', shape: '◧', path: 'M2 2h12v12H2zM8 3.6v8.8h4.4V3.6z', word: 'partial' },
  blocked: { light: '#b4101f', dark: '#ff6f69', shape: '■', path: 'M2 2h12v12H2z', word: 'blocked' },
  app_down: {
    light: '#654bb0',
    dark: '#b6a2f5',
    shape: '✕',
    path: 'M3.5 1.2L8 5.7l4.5-4.5 2.3 2.3L10.3 8l4.5 4.5-2.3 2.3L8 10.3l-4.5 4.5-2.3-2.3L5.7 8 1.2 3.5z',
    word: 'app down',
  },
  domestic_only: {
    light: '#6f4e37',
    dark: '#cfae91',
    shape: '▣',
    path: 'M1.5 1.5h13v13h-13zM3.3 3.3v9.4h9.4V3.3zM5.5 5.5h5v5h-5z',
    word: 'domestic only',
  },
  network_down: { light: '#46525d', dark: '#a5b1bd', shape: '▬', path: 'M1 5.5h14v5H1z', word: 'network down' },
}
