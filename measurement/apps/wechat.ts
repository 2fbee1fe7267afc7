import type { App } from '../app.ts'
import type { TargetOf } from '../target.ts'
import { anyAnswer, diagnosis, ordinary, tcp, thirdParty } from './defaults.ts'

const guide = 'wechaty.js.org protocol guide; mincong.io'

const long = (port: 443 | 80 | 8080) =>
  tcp({
    id: `wechat.long.${port}`,
    feature: 'text',
    host: 'long.weixin.qq.com',
    port,
    source: guide,
    ...thirdParty,
    healthy: 'TCP opens. What follows is MMTLS, whose hello is not described well enough to be sent.',
  })

/** MMTLS requests travel in plain HTTP here, so HTTP is one step deeper than TCP. */
const short = (port: 80 | 8080): TargetOf<'http'> => ({
  ...ordinary,
  ...thirdParty,
  ...(port === 80 ? {} : diagnosis),
  id: `wechat.short.${port}`,
  feature: 'text',
  host: 'short.weixin.qq.com',
  port,
  source: guide,
  healthy: 'Any HTTP status.',
  kind: 'http',
  ask: { scheme: 'http', method: 'GET', path: '/', headers: {}, roots: 'public', expect: { status: [] } },
})

export const wechat: App = {
  id: 'wechat',
  name: { en: 'WeChat', fa: 'وی‌چت' },
  home: null,
  status: 'measured',
  stores: { apple: 414478124, google: 'com.tencent.mm' },
  targets: [
    short(80),
    short(8080),
    long(443),
    long(80),
    long(8080),
    anyAnswer({
      id: 'wechat.dns.weixin.qq.com',
      feature: 'registration',
      host: 'dns.weixin.qq.com',
      source: guide,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'wechat.support.weixin.qq.com',
      feature: 'web',
      host: 'support.weixin.qq.com',
      source: guide,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({ id: 'wechat.web.wechat.com', feature: 'web', host: 'web.wechat.com', source: guide, ...thirdParty }),
    anyAnswer({
      id: 'wechat.wx.qlogo.cn',
      feature: 'media',
      host: 'wx.qlogo.cn',
      source: guide,
      ...thirdParty,
      ...diagnosis,
    }),
    anyAnswer({
      id: 'wechat.mmsns.qpic.cn',
      feature: 'media',
      host: 'mmsns.qpic.cn',
      source: guide,
      ...thirdParty,
      ...diagnosis,
    }),
  ],
}
