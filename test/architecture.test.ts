import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative, sep } from 'node:path'
import { describe, expect, test } from 'vitest'

/** The house (docs/architecture.md), held by a test: who may import whom, what the agent may weigh, how large a file may be. */

const root = dirname(import.meta.dirname)
const folders = ['measurement', 'events', 'probes', 'server', 'dashboards', 'package', 'test'] as const

const slashes = (path: string): string => path.split(sep).join('/')

const under = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) => slashes(relative(root, join(parentPath, name))))
    .filter(path => !/(^|\/)(dist|node_modules)\//.test(path))

const paths = [...folders.flatMap(under), 'peyk.ts']
const code = paths.filter(path => /\.tsx?$/.test(path))
const textOf = new Map(paths.filter(path => /\.(tsx?|css)$/.test(path)).map(path => [path, read(path)]))

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

/** `types`: only types are imported, which are gone when the program runs. */
type Import = { from: string; to: string; local: boolean; dynamic: boolean; types: boolean }

const statement = /^\s*(?:import|export)\s(?:(?<names>[^'"`;]*?)\sfrom\s)?\s*['"](?<what>[^'"\n]+)['"]/gm
const call = /\bimport\(\s*['"](?<what>[^'"\n]+)['"]/g

/** `type { A }`, or `{ type A, type B }`. */
const onlyTypes = (names: string): boolean => {
  if (/^type\s/.test(names)) return true
  const [, list = ''] = /^\{([^}]*)\}$/.exec(names.trim()) ?? []
  return list.trim() !== '' && list.split(',').every(name => /^\s*(type\s|$)/.test(name))
}

/** What a file imports, types included: they bind two files as well. Files of ours by path, packages by name. */
const importsOf = (from: string): Import[] => {
  const found = (pattern: RegExp, dynamic: boolean) =>
    [...textOf.get(from)!.matchAll(pattern)].map(({ groups: { what = '', names = '' } = {} }): Import => {
      const local = what.startsWith('.')
      const to = local ? slashes(normalize(join(dirname(from), what))) : packageOf(what)
      return { from, to, local, dynamic, types: onlyTypes(names) }
    })
  return [...found(statement, false), ...found(call, true)]
}

const packageOf = (name: string): string =>
  name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')

const imports = new Map(code.map(path => [path, importsOf(path)]))
const all = [...imports.values()].flat()
const local = all.filter(one => one.local)
const shown = (found: readonly Import[]): string[] => found.map(({ from, to }) => `${from} -> ${to}`)

const top = (path: string): string => path.split('/')[0]!
const isPage = (path: string): boolean => path.startsWith('server/page/')

describe('imports form a star', () => {
  const both = ['measurement', 'events']
  /** What each folder may import besides itself. */
  const may: Record<string, readonly string[]> = {
    measurement: [],
    events: [],
    probes: both,
    server: both,
    dashboards: both,
    package: ['events', 'server'],
    test: ['measurement', 'events', 'probes', 'server', 'dashboards', 'package'],
    'peyk.ts': ['measurement', 'events', 'probes', 'server', 'dashboards'],
  }

  test('measurement, events <- probes, server, dashboards <- peyk.ts, test', () => {
    const wrong = local.filter(({ from, to }) => {
      const [here, there] = [top(from), top(to)]
      return there !== 'package.json' && here !== there && !may[here]?.includes(there)
    })
    expect(
      shown(wrong),
      'Probes, server and dashboards know the contract (measurement, events) and not each other, so that an agent can be read, packed and trusted without the server. Move what they share into measurement/, or bring it as a parameter from peyk.ts.',
    ).toEqual([])
  })

  test('nobody imports peyk.ts, and it loads a part only for the command that needs it', () => {
    expect(
      shown(local.filter(({ to }) => to === 'peyk.ts')),
      'peyk.ts starts a program when it is imported. Import the part itself.',
    ).toEqual([])
    expect(
      shown(local.filter(({ from, to, dynamic }) => from === 'peyk.ts' && to !== 'package.json' && !dynamic)),
      'One program is agent and server: a static import here would load the server on a volunteer’s machine. Write await import(…) inside the command.',
    ).toEqual([])
  })

  test('the page imports measurement and events only, and the server none of the page', () => {
    const across = local.filter(({ from, to }) => {
      if (isPage(from)) return !isPage(to) && !['measurement', 'events'].includes(top(to))
      return top(from) === 'server' && isPage(to)
    })
    expect(
      shown(across),
      'The page runs in browsers and talks to the server by its public API alone, as everybody else does. Shapes both need stand in measurement/answers.ts.',
    ).toEqual([])
  })

  test('no file runs itself over others', () => {
    expect(
      cycles(),
      'Files in a circle begin in an order nobody chose, and can only be changed together. Move what both need into a file of its own; a circle of types alone is allowed.',
    ).toEqual([])
  })

  test('every import leads to a file', () => {
    // Otherwise the rules above look past it.
    const known = new Set([...paths, 'package.json'])
    expect(shown(local.filter(({ to }) => !known.has(to) && !/(^|\/)dist\//.test(to)))).toEqual([])
    expect(all.length).toBeGreaterThan(300)
  })
})

/** Circles of files, each once, by depth-first search. */
function cycles(): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (path: string, way: readonly string[]): void => {
    const at = way.indexOf(path)
    if (at >= 0) found.push([...way.slice(at), path].join(' -> '))
    if (at >= 0 || done.has(path)) return
    for (const one of imports.get(path) ?? []) if (one.local && !one.types) visit(one.to, [...way, path])
    done.add(path)
  }
  for (const path of code) visit(path, [])
  return found
}

/** Packages loaded from a file on, and over which files each is reached. */
const packagesFrom = (start: string): Map<string, string> => {
  const packages = new Map<string, string>()
  const seen = new Set<string>()
  const visit = (path: string, way: readonly string[]): void => {
    if (seen.has(path)) return
    seen.add(path)
    for (const { to, local } of imports.get(path) ?? []) {
      if (local) visit(to, [...way, path])
      else if (!packages.has(to)) packages.set(to, [...way, path, to].join(' -> '))
    }
  }
  visit(start, [])
  return packages
}

describe('what runs where', () => {
  const heavy = /^(fastify|@fastify\/.*|pino|chdb|@clickhouse\/.*|prom-client)$/

  test.each(['probes/agent/agent.ts', 'probes/all.ts'])('the agent is light: %s', start => {
    const packages = packagesFrom(start)
    expect(packages.size).toBeGreaterThan(3)
    const wrong = [...packages].filter(([name]) => heavy.test(name)).map(([, way]) => way)
    expect(
      wrong,
      'An agent runs for months on old machines of volunteers, who should be able to read what it loads: no web framework, no database, no logger.',
    ).toEqual([])
  })

  test('the agent compiles no schemas', () => {
    const compilers = code
      .filter(path => top(path) === 'probes')
      .filter(path => /['"]typebox\/compile['"]/.test(textOf.get(path)!))
    expect(
      compilers,
      'typebox/compile makes code at run time, which packages and policies of an agent’s machine may forbid. Use typebox/value.',
    ).toEqual([])
  })

  test('one file knows the metrics library', () => {
    expect(
      all.filter(({ to }) => to === 'prom-client').map(({ from }) => from),
      'Names, labels and their limits are in measurement/metrics.ts, and only the exporter may register them: a second registry would escape the limits.',
    ).toEqual(['server/exporter.ts'])
  })

  test('the contract knows schemas and arithmetic, and no network or disk', () => {
    const io = /^node:(net|tls|http|https|dgram|dns|fs|child_process)$/
    const wrong = all.filter(({ from, to }) => top(from) === 'measurement' && io.test(to))
    expect(shown(wrong), 'measurement/ is read by browsers too: data and pure functions only.').toEqual([])
  })
})

describe('the folder listing is the map', () => {
  test('no folder that says nothing', () => {
    expect(
      paths.filter(path => /(^|\/)(src|lib|utils|helpers|common)\//.test(path)),
      'A name like this holds anything, so nobody can guess what. Name the folder after what is in it.',
    ).toEqual([])
  })

  test('no barrels', () => {
    expect(
      paths.filter(path => /(^|\/)index\.[jt]sx?$/.test(path)),
      'A file that only passes others on hides where things are and makes circles. Import the file itself.',
    ).toEqual([])
  })

  /** Over this a file wants to be two; tests may be long tables of cases. */
  const MOST_LINES = 250
  const MOST_LINES_TEST = 400
  /** Files that are longer all the same, and why. */
  const long: Record<string, string> = {
    'measurement/metrics.ts':
      'one table: every metric stands beside the others, so that caps and names can be compared',
    'probes/agent/agent.ts': 'composition and life cycle of the agent, read as one story',
    'probes/agent/schedule.ts': 'the laws of the schedule hold together; spacing and budget are files of their own',
    'probes/agent/spool.ts': 'one durable structure whose invariants span all its methods',
    'dashboards/boards/app.ts': 'one board, top to bottom as it is seen',
    'dashboards/boards/pipeline.ts': 'one board, top to bottom as it is seen',
    'server/page/strings/en.ts': 'one table of the page’s words, the same shape as the other language',
    'server/page/strings/fa.ts': 'the same in Persian',
    'server/page/style/chart.css': 'style sheet: one list of rules for one part of the page',
    'server/page/style/page.css': 'style sheet: one list of rules for the frame of the page',
  }
  const linesOf = (path: string): number => (textOf.get(path) ?? '').split('\n').length - 1
  const most = (path: string): number => (top(path) === 'test' ? MOST_LINES_TEST : MOST_LINES)

  test(`no file over ${MOST_LINES} lines without a reason`, () => {
    const over = [...textOf.keys()].filter(path => linesOf(path) > most(path) && !(path in long))
    expect(
      over.map(path => `${path}: ${linesOf(path)} lines`),
      'Split it where a reader would, or name it in the list above with the reason why it is better whole.',
    ).toEqual([])
  })

  test('the list of long files is short', () => {
    expect(
      Object.keys(long).filter(path => linesOf(path) <= most(path)),
      'These are no longer long, or gone: take them off the list.',
    ).toEqual([])
  })
})
