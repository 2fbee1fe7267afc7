import type { App } from '../app.ts'
import { anyAnswer, diagnosis, https, innocuousName, names, truthfulName, websocket } from './defaults.ts'

const gateway = 'discord/discord-api-docs:developers/events/gateway.mdx'

export const discord: App = {
  id: 'discord',
  name: { en: 'Discord', fa: 'دیسکورد' },
  home: null,
  status: 'measured',
  stores: { apple: 985746746, google: 'com.discord' },
  targets: [
    https({
      id: 'discord.api',
      feature: 'text',
      host: 'discord.com',
      path: '/api/v10/gateway',
      source: gateway,
      healthy: 'JSON with the url of the gateway; no account needed.',
      expect: { status: [200], json: 'url' },
      ...diagnosis,
    }),
    websocket({
      id: 'discord.gateway',
      feature: 'text',
      host: 'gateway.discord.gg',
      path: '/?v=10&encoding=json',
      words: 'discord-hello',
      source: gateway,
      healthy: 'The server speaks first: operation 10, Hello, with a heartbeat interval.',
    }),
    innocuousName({ id: 'discord.gateway.name', feature: 'text', host: 'gateway.discord.gg', source: gateway }),
    ...names('discord', 'text', ['gateway.discord.gg', 'discord.com']),
    truthfulName('discord', 'text', 'discord.com'),
    anyAnswer({
      id: 'discord.cdn.discordapp.com',
      feature: 'media',
      host: 'cdn.discordapp.com',
      source: 'discord/discord-api-docs:developers/reference.mdx',
    }),
  ],
}
