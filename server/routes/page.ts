import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { Degradation } from '../../measurement/answers.ts'
import type { App } from '../app.ts'
import { escaped } from '../drawing.ts'
import { revisionsOf } from '../findings.ts'
import { onlyPublic } from '../public-findings.ts'
import type { Store } from '../store/store.ts'

/** The page: files under `/`, and its one document for the addresses it reads itself. */
export const pageRoutes = async (app: App, folder: string, store: Store): Promise<void> => {
  await app.register(async page => {
    page.addHook('onRoute', route => {
      route.config = { ...route.config, right: 'anyone' }
    })
    await page.register(fastifyStatic, {
      root: folder,
      wildcard: false,
      setHeaders: (reply, path) => {
        const hashed = path.includes('/assets/')
        void reply.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache')
      },
    })
    page.get<{ Params: { id: string } }>(
      '/finding/:id',
      { config: { right: 'anyone' }, schema: { hide: true } },
      async ({ params, url }, reply) => {
        const query = new URLSearchParams(url.split('?')[1])
        // What fails here fails the page's own question too, which tells it to people.
        const [document, finding] = await Promise.all([
          readFile(join(folder, 'index.html'), 'utf8'),
          shown(store, params.id, query.get('revision')).catch(() => undefined),
        ])
        const text = finding ? headed(document, finding.sentence[query.get('lang') === 'fa' ? 'fa' : 'en']) : document
        return reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(text)
      },
    )
  })
}

/** The revision an address asks for; none of what was withdrawn, as the page shows nothing of it either. */
const shown = async (store: Store, id: string, revision: string | null): Promise<Degradation | undefined> => {
  const revisions = await onlyPublic(store, await revisionsOf(store, id))
  if (revisions.at(-1)?.withdrawn) return undefined
  return revision === null ? revisions.at(-1) : revisions.find(of => String(of.revision) === revision)
}

/** For those who look at links and run no scripts: the sentence as description, what it says before its figures as title. */
const headed = (document: string, sentence: string): string => {
  const title = escaped(sentence.split(/[;؛]/, 1)[0]!.replace(/\.$/, ''))
  const tags = { type: 'article', site_name: 'Peyk', title, description: escaped(sentence) }
  const og = Object.entries(tags).map(([name, text]) => `<meta property="og:${name}" content="${text}" />`)
  return document
    .replace(/<title>[^<]*<\/title>/, () => `<title>${title} · Peyk</title>${og.join('')}`)
    .replace(/<meta name="description"[^>]*>/, () => `<meta name="description" content="${tags.description}" />`)
}
