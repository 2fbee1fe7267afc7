/**
 * The schema on a cluster of ClickHouse servers (`PEYK_CLICKHOUSE_CLUSTER`, a name of `remote_servers`): each table is a
 * replicated one on every shard, `NAME_local`, and a Distributed one over them, which all statements of Peyk name. Rows of
 * a country lie on one shard, so that doubles meet and subqueries are answered where their rows are.
 * Unverified here, where there is no keeper: .github/workflows/cluster.yml runs the store's contract on a cluster.
 * https://clickhouse.com/docs/engines/table-engines/mergetree-family/replication, …/special/distributed
 */

/**
 * An insert is answered when most replicas of its shard have it, not when it is queued; subqueries stay on their shard; and
 * everybody reads the first replica that lives, so that what was written is read.
 */
export const clusterSettings = {
  distributed_foreground_insert: 1,
  insert_quorum: 'auto',
  distributed_product_mode: 'local',
  load_balancing: 'first_or_random',
  prefer_localhost_replica: 0,
} as const

/** By which column rows are spread, where a table has no country. */
const spread: Record<string, string> = { facts: 'key', deliveries: 'agent', migrations: 'version' }

const CREATE =
  /^CREATE TABLE (?:IF NOT EXISTS )?(?<name>\w+) (?<columns>\([\s\S]*\)|AS \w+)\s+ENGINE = (?<engine>\w+)(?:\((?<version>\w+)\))?/
const RENAME = /^RENAME TABLE (?<names>[\s\S]+)/
const DROP = /^DROP TABLE (?:IF EXISTS )?(?<name>\w+)/
const ALTER = /^ALTER TABLE (?<name>\w+)\s/

/** The statements that do on a cluster what this one does on one server. */
export const clustered = (sql: string, cluster: string): string[] => {
  const on = `ON CLUSTER '${cluster}'`
  const create = CREATE.exec(sql)?.groups
  if (create) {
    const { name = '', columns = '', engine = '', version } = create
    const rest = sql.slice(CREATE.exec(sql)![0].length)
    const replicated = `Replicated${engine}('/clickhouse/tables/{uuid}/{shard}', '{replica}'${version ? `, ${version}` : ''})`
    return [
      `CREATE TABLE IF NOT EXISTS ${name}_local ${on} ${columns.replace(/^AS \w+/, '$&_local')} ENGINE = ${replicated}${rest}`,
      `CREATE TABLE IF NOT EXISTS ${name} ${on} AS ${name}_local
       ENGINE = Distributed('${cluster}', currentDatabase(), '${name}_local', cityHash64(${spread[name] ?? 'country'}))`,
    ]
  }
  const renamed = RENAME.exec(sql)?.groups?.['names']
  if (renamed) {
    // The Distributed table of a name stays, and stands before what has that name now; one of a name that went is gone.
    const pairs = renamed.split(',').map(pair => pair.trim().split(' TO '))
    const gone = pairs.flatMap(([from]) => (pairs.some(([, to]) => to === from) ? [] : [from]))
    return [
      `RENAME TABLE ${pairs.map(([from, to]) => `${from}_local TO ${to}_local`).join(', ')} ${on}`,
      ...gone.map(name => `DROP TABLE IF EXISTS ${name} ${on} SYNC`),
    ]
  }
  const dropped = DROP.exec(sql)?.groups?.['name']
  if (dropped) return [`DROP TABLE IF EXISTS ${dropped}_local ${on} SYNC`]
  const altered = ALTER.exec(sql)?.groups?.['name']
  if (altered) {
    const local = sql.replace(ALTER, `ALTER TABLE ${altered}_local ${on} `)
    // A Distributed table has columns, and neither rows nor a rule of when they go.
    return /\b(TTL|DELETE)\b/.test(sql) ? [local] : [local, sql.replace(ALTER, `ALTER TABLE ${altered} ${on} `)]
  }
  return [sql.replace(/^(?:CREATE VIEW (?:IF NOT EXISTS )?|DROP VIEW (?:IF EXISTS )?)\w+/, view => `${view} ${on}`)]
}
