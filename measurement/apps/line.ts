import type { App } from '../app.ts'
import { anyAnswer, diagnosis, innocuousName, names, thirdParty, truthfulName } from './defaults.ts'

const linejs = 'evex-dev/linejs'

export const line: App = {
  id: 'line',
  name: { en: 'LINE', fa: 'لاین' },
  home: null,
  status: 'measured',
  stores: { apple: 443904275, google: 'jp.naver.line.android' },
  targets: [
    anyAnswer({
      id: 'line.gw.line.naver.jp',
      feature: 'text',
      host: 'gw.line.naver.jp',
      path: '/S4',
      source: linejs,
      ...thirdParty,
    }),
    anyAnswer({
      id: 'line.legy.line-apps.com',
      feature: 'text',
      host: 'legy.line-apps.com',
      path: '/S4',
      source: linejs,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'line.gf.line.naver.jp',
      feature: 'text',
      host: 'gf.line.naver.jp',
      path: '/enc',
      source: linejs,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'line.legy-jp-addr-long.line.naver.jp',
      feature: 'text',
      host: 'legy-jp-addr-long.line.naver.jp',
      source: linejs,
      ...thirdParty,
      ...diagnosis,
    }),
    innocuousName({
      id: 'line.gw.line.naver.jp.name',
      feature: 'text',
      host: 'gw.line.naver.jp',
      source: linejs,
      ...thirdParty,
    }),
    ...names('line', 'text', ['gw.line.naver.jp', 'line.me']),
    truthfulName('line', 'text', 'line.me'),
    anyAnswer({
      id: 'line.obs.line-apps.com',
      feature: 'media',
      host: 'obs.line-apps.com',
      source: linejs,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'line.line.me',
      feature: 'web',
      host: 'line.me',
      source: 'citizenlab/test-lists:lists/global.csv',
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
