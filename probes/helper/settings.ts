import { fail, host, type Setting } from '../../measurement/settings.ts'

const megabytes = (value: string): number =>
  /^\d{1,6}$/.test(value) && Number(value) > 0 ? Number(value) * 1e6 : fail('must be a whole number of megabytes')

const port = (value: string): number =>
  /^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? Number(value) : fail('must be ports, separated by commas')

/** The one table of settings of the helper: README and docs/helper.md print it. */
export const settings = {
  PEYK_HOST: {
    default: '0.0.0.0',
    text: 'Address to listen on.',
    parse: host,
  },
  PEYK_HELPER_PORTS: {
    default: '443,80,5222,3478,599',
    text: 'Ports of the helper, TCP and UDP both, each for everything it speaks. The catalogue’s flows need 443, 5222 and 599.',
    parse: (value: string) => value.split(',').map(one => port(one.trim())),
  },
  PEYK_HELPER_RATE: {
    default: '12',
    text: 'Megabytes a second the helper gives and takes at most; beyond that it refuses, and slows nobody down.',
    parse: megabytes,
  },
  PEYK_HELPER_QUOTA: {
    default: '40',
    text: 'Megabytes of a day for one address (of a /64, with IPv6).',
    parse: megabytes,
  },
} as const satisfies Record<string, Setting<unknown>>
