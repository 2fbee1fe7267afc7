import type { App } from '../app.ts'
import { anyAnswer, diagnosis, https, names, thirdParty, truthfulName } from './defaults.ts'

const client = 'python273/vk_api:vk_api/vk_api.py'

const api = (host: string, more: object = {}) =>
  https({
    id: `vk.${host}`,
    feature: 'text',
    host,
    path: '/method/users.get?v=5.131',
    source: client,
    ...thirdParty,
    healthy: 'JSON with the error of a request that brings no token (error_code 5).',
    expect: { status: [200], json: 'error' },
    ...more,
  })

export const vk: App = {
  id: 'vk',
  name: { en: 'VK', fa: 'وی‌کی' },
  home: 'RU',
  status: 'measured',
  stores: { apple: 564177498, google: 'com.vkontakte.android' },
  targets: [
    api('api.vk.com'),
    api('api.vk.ru', diagnosis),
    ...names('vk', 'text', ['api.vk.com', 'vk.com']),
    truthfulName('vk', 'text', 'vk.com'),
    anyAnswer({ id: 'vk.im.vk.com', feature: 'text', host: 'im.vk.com', source: client, ...thirdParty, ...diagnosis }),
    anyAnswer({
      id: 'vk.vk.com',
      feature: 'web',
      host: 'vk.com',
      source: 'citizenlab/test-lists:lists/global.csv',
      ...thirdParty,
    }),
    anyAnswer({
      id: 'vk.id.vk.ru',
      feature: 'registration',
      host: 'id.vk.ru',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'vk.login.vk.ru',
      feature: 'registration',
      host: 'login.vk.ru',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'vk.oauth.vk.ru',
      feature: 'registration',
      host: 'oauth.vk.ru',
      source: client,
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
