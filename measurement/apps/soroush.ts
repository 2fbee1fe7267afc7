import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import { anyAnswer, diagnosis, ordinary, thirdParty } from './defaults.ts'

const client = 'shayanheidari01/SPlusthon:splusthon/network/connection/websocket.py'

/**
 * Fingerprints of the RSA keys that a client of others took from Soroush’s web client (SPlusthon:splusthon/crypto/rsa.py),
 * recomputed from the keys: the last eight bytes of SHA-1 over modulus and exponent. Which of them the servers offer only
 * a measurement from inside can say.
 */
const KEYS = `185ef16f7c24962f 3ea02aebd0de3d14 36e1644f56ecba86 354d8ba9386dc7a8 86ea523a24541517
  65af9b26ee6a8722 65782b0bcb9770b0 4ca933368cbdf09e 1dea180ec064020c f34b99f887696593
  3f800063d446e5fb 3182bd9425bc4954 f399021cdfcde776 80c0671076693a68 5b2811f507e6be46
  d412d699a2c1cc2a 48d9ea06d8bb603e bbed057f46b04260 ea02ed2b509afc65 020744bcce9d049c`.split(/\s+/)

/** Telegram’s protocol, as its web client speaks it, on servers and with keys of Soroush’s own. */
const mtproto = (id: string, host: string, more: Partial<TargetOf<'mtproto'>> = {}): TargetOf<'mtproto'> => ({
  ...ordinary,
  ...thirdParty,
  id: `soroush.${id}`,
  feature: 'text',
  host,
  port: 443,
  source: client,
  healthy: '101, then resPQ with our nonce and a key of Soroush’s inside the obfuscated stream.',
  kind: 'mtproto',
  ask: {
    transport: 'websocket',
    envelope: 'abridged',
    path: '/apiws',
    origin: 'https://web.splus.ir',
    dc: 0,
    keys: KEYS,
  },
  ...more,
})

export const soroush: App = {
  id: 'soroush',
  name: { en: 'Soroush+', fa: 'سروش‌پلاس' },
  home: 'IR',
  status: 'measured',
  stores: { google: 'mobi.mmdt.ottplus' },
  targets: [
    mtproto('im-server', 'im-server.splus.ir'),
    mtproto('media-a', 'media-a.splus.ir', { feature: 'media', ...diagnosis }),
    mtproto('media-c', 'media-c.splus.ir', { feature: 'media', ...diagnosis }),
    anyAnswer({
      id: 'soroush.web.splus.ir',
      feature: 'web',
      host: 'web.splus.ir',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'soroush.bot.splus.ir',
      feature: 'text',
      host: 'bot.splus.ir',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
