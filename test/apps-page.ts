import type { App } from '../measurement/app.ts'
import { apps } from '../measurement/catalogue.ts'
import type { Target } from '../measurement/target.ts'

/** `docs/apps.md`: every system, and every target with how it decides, how well it is known, and from where. */
export const appsPage = (): string => `# Apps

Every messaging system Peyk knows, from \`measurement/apps/\`: one file each. ${count(all)} targets of ${
  apps.filter(({ status }) => status === 'measured').length
} systems; ${count(all.filter(({ experimental }) => experimental))} are experimental.

- **decides**: *yes* counts for reachability; *imports* only where an imported report asked nothing deeper; *no* is diagnosis,
  measured sparsely. Of several targets that say the same of a feature the deepest decides, and where bytes are dear one
  stands for the others: a volunteer's agent has 12 MB a day for all of this.
- **confidence**: *source*, read in the app's own code or specification, or in OONI's; *third-party*, in code or lists of
  others; *unverified*, in neither.
- **exp**: experimental. Nobody has seen the healthy answer, so it is measured and shown apart, and never part of a verdict.
  It becomes a full target when a control agent's baseline (\`npm run baseline\`) on an unfiltered network has seen it: set
  \`experimental\`, \`decides\` and \`confidence\` in the app's file, and raise \`CATALOGUE_VERSION\`.
- **!**: unusual. A phone with the app does not send this; only agents whose owner consented do.
- Where an app lists nothing but TLS and HTTP statuses, nothing deeper is known of it: the answer proves the host by its
  certificate, not that messages pass.
- Facts come from code and pages, none from a live run. What could not be verified stands under each system as *exp*, or in
  its note.

| system | slug | domestic to | text is proven by | targets | exp | note |
| --- | --- | --- | --- | --- | --- | --- |
${apps.map(summary).join('\n')}

${apps
  .filter(({ targets }) => targets.length > 0)
  .map(section)
  .join('\n')}`

const all = apps.flatMap(({ targets }) => targets)
const count = (targets: readonly Target[]): string => `${targets.length}`
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
const row = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`

const summary = (app: App): string => {
  const { id, name, home, status, note = '', targets } = app
  const names = name.fa ? `${name.en} · ${name.fa}` : name.en
  const shared = app.sharesNetworkOf ? `${app.sharesNetworkOf}’s targets` : ''
  const text = targets.filter(({ feature, decides }) => feature === 'text' && decides === 'yes')
  const proof = [...new Set(text.map(proofOf))].join(', ') || shared || (status === 'retired' ? 'retired' : '-')
  return row([
    names,
    `\`${id}\``,
    home ?? '',
    proof,
    count(targets),
    count(targets.filter(one => one.experimental)),
    note,
  ])
}

/** What an answer of this target is made of, in a word. */
const proofOf = (target: Target): string => {
  switch (target.kind) {
    case 'http':
      return target.ask.expect.json || target.ask.expect.header ? 'HTTP, its own JSON' : 'HTTP status'
    case 'websocket':
      return target.ask.expect.words === 'none' ? 'WebSocket upgrade' : `WebSocket, ${target.ask.expect.words}`
    case 'mtproto':
      return 'MTProto resPQ'
    case 'noise':
      return 'Noise certificate chain'
    case 'threema':
      return 'Threema server key'
    case 'loco':
      return 'LOCO configuration'
    default:
      return target.kind.toUpperCase()
  }
}

const section = (app: App): string => {
  const listings = Map.groupBy(
    app.targets.filter(({ kind }) => kind === 'store'),
    ({ host }) => host,
  )
  const rows = [
    ...app.targets.filter(({ kind }) => kind !== 'store').map(line),
    ...[...listings.values()].map(of => line({ ...of[0]!, id: `${of[0]!.id.slice(0, -2)}{${storefronts(of)}}` })),
  ]
  return `## ${app.name.en}

| target | kind | where | feature | decides | confidence | healthy answer | source |
| --- | --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}

const storefronts = (of: readonly Target[]): string => of.map(({ id }) => id.slice(-2)).join(',')

const line = (target: Target): string => {
  const { id, kind, feature, decides, confidence, healthy, source, control, countries, roles, pairs } = target
  const limits = [
    control && `${control} control`,
    pairs && `beside ${pairs.map(({ with: one }) => one).join(', ')}`,
    countries && `only in ${countries.join(', ')}`,
    roles && `only ${roles.join(', ')} agents`,
  ].filter(limit => limit !== undefined)
  const judged = target.experimental ? 'exp' : target.risk === 'unusual' ? `${decides} !` : decides
  return row([
    `\`${id}\``,
    kind,
    `\`${whereOf(target)}\`${limits.length > 0 ? ` (${limits.join('; ')})` : ''}`,
    feature,
    target.experimental && target.risk === 'unusual' ? 'exp !' : judged,
    confidence,
    healthy,
    source,
  ])
}

const whereOf = (target: Target): string => {
  const { host, port } = target
  const place = `${host.includes(':') ? `[${host}]` : host}:${port}`
  if (target.kind === 'http') return `${target.ask.method} ${target.ask.scheme}://${place}${target.ask.path}`
  if (target.kind === 'websocket') return `${target.ask.scheme}://${place}${target.ask.path}`
  if (target.kind === 'mtproto') return `${place}${target.ask.path ?? ''} ${target.ask.transport}`
  if (target.kind === 'transfer') {
    const { of } = target.ask
    const name = of.sni === undefined || of.sni === null ? '' : ` as ${of.sni}`
    if ('path' in of) return `GET ${of.scheme}://${place}${of.path}${name}`
    return `helper:${port} ${of.over}${of.shape === 'random' ? '' : ` ${of.shape}`}${of.up ? ' up' : ''}${name}`
  }
  if (target.kind === 'tls' && target.ask.sni !== host) return `${place} as ${target.ask.sni}`
  if (target.kind === 'dns' && target.ask.against)
    return `${host} ${target.ask.type} of the system’s resolver, compared with ${target.ask.against.address} doh`
  if (target.kind === 'dns' && target.ask.resolver !== 'system') {
    return `${host} ${target.ask.type} at ${target.ask.resolver.address} ${target.ask.resolver.transport}`
  }
  return place
}
