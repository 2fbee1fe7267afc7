// What Node runs first in a single executable: loads the parts of the program, which lie in it as assets, when they are
// needed. As one file all of it would be parsed at every start, which costs an agent 25 MB.
const { getAsset } = require('node:sea')
const { compileFunction } = require('node:vm')

const loaded = new Map()

const load = name => {
  const known = loaded.get(name)
  if (known) return known.exports
  const part = { exports: {} }
  loaded.set(name, part)
  const words = ['module', 'exports', 'require', '__filename', '__dirname']
  const run = compileFunction(getAsset(name, 'utf8'), words, { filename: name })
  const inside = wanted => (wanted.startsWith('./') ? load(wanted.slice(2)) : require(wanted))
  run(part, part.exports, inside, process.execPath, '.')
  return part.exports
}

load('program.cjs')
