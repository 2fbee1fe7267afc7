import { SettingsError } from '../../measurement/settings.ts'
import { pairingParams, pairingSql } from '../trials.ts'
import type { Store } from './store.ts'

/** Durable before acknowledged: a part is on disk, power loss included, when its insert returns. */
const DURABLE = 'fsync_after_insert = 1, fsync_part_directory = 1'

const word = 'LowCardinality(String)'

/**
 * Rollups lie by stretches of 72 spans, and in each by series: few pieces to read for a long series, few rows for the
 * present. The engine does not conclude from times which stretches there are: readers of single series, or of short times, say so.
 */
const STRETCH_SPANS = 72
const STRETCH = `intDiv(toUInt32(at), level * ${STRETCH_SPANS})`

/** SQL: rollups of one level in [from, to), all three SQL that gives numbers. */
export const spans = (level: string | number, from: string, to: string): string =>
  `level = ${level} AND at >= fromUnixTimestamp(${from}) AND at < fromUnixTimestamp(${to})
   AND ${STRETCH} BETWEEN intDiv(${from}, ${level} * ${STRETCH_SPANS}) AND intDiv(${to}, ${level} * ${STRETCH_SPANS})`

/** What a public series is about; `asn` 0 is the whole country in public tables, the unknown network in private ones. */
const place = `app ${word}, feature ${word}, country ${word}, asn UInt32`

/**
 * The schema, a list of migrations: a store runs those it has not seen, in order; one already released never changes.
 * Sort keys and partitions use the agent's own `at`, so that a row sent twice meets itself; windows use `at + offset`.
 */
export const migrations: readonly (readonly string[])[] = [
  [
    // ReplacingMergeTree keeps the row with the greatest `first`, so the first arrival wins.
    `CREATE TABLE measurements_raw (
      id UUID, origin ${word}, agent String, boot FixedString(16), mono Float64, sequence UInt64,
      app ${word}, feature ${word}, target ${word}, kind ${word}, family ${word}, route ${word}, role ${word},
      country ${word}, asn UInt32, seen_country ${word}, seen_asn UInt32, trust ${word}, access ${word},
      at DateTime64(3, 'UTC'), arrived DateTime64(3, 'UTC'), offset Float64,
      steps Nested(operation ${word}, start Float64, duration Float64, sent UInt64, received UInt64,
        failure ${word}, code Int32, hash String, mark ${word}, count UInt16, series Array(Float64)),
      failure ${word}, served_asn UInt32, served_country ${word}, served_rtt_floor Nullable(Float64), served_dc ${word},
      origin_proof ${word}, source_report String, source_licence ${word}, marks Array(${word}),
      prefix_token UInt32, software ${word}, catalogue UInt32, rule UInt32,
      first UInt64 MATERIALIZED 18446744073709551615 - toUnixTimestamp64Milli(arrived),
      INDEX far abs(offset) TYPE minmax GRANULARITY 1,
      INDEX late arrived TYPE minmax GRANULARITY 1
    ) ENGINE = ReplacingMergeTree(first) PARTITION BY toYYYYMM(at) ORDER BY (app, country, asn, at, id)
    SETTINGS ${DURABLE}`,
    // Every reader goes through this view: no doubles, and the true time beside the agent's own.
    `CREATE VIEW measurements AS
      SELECT *, fromUnixTimestamp64Milli(toUnixTimestamp64Milli(at) + toInt64(round(offset * 1000)), 'UTC') AS placed
      FROM measurements_raw FINAL`,
    `CREATE TABLE agent_windows (
      ${place}, target ${word}, kind ${word}, dc ${word}, agent String, at DateTime('UTC'),
      origin ${word}, role ${word}, trust ${word}, prefix UInt32, access ${word},
      attempts UInt16, answered UInt16, own UInt16,
      last DateTime64(3, 'UTC'), last_answered UInt8, last_failure ${word}, last_layer ${word},
      failures Map(${word}, UInt32), seconds Map(${word}, Float64), served_asn UInt32, served_country ${word},
      control_tried UInt16, control_answered UInt16, domestic_tried UInt16, domestic_answered UInt16,
      control_seconds Map(${word}, Float64), revision UInt64
    ) ENGINE = ReplacingMergeTree(revision) PARTITION BY toYYYYMM(at)
    ORDER BY (app, feature, country, asn, at, target, agent) SETTINGS ${DURABLE}`,
    `CREATE TABLE verdicts (
      ${place}, at DateTime('UTC'), verdict ${word}, layer ${word}, mechanism ${word}, state ${word},
      agents UInt32, rule UInt32, revision UInt64
    ) ENGINE = ReplacingMergeTree(revision) PARTITION BY toYYYYMM(at) ORDER BY (app, feature, country, asn, at)
    SETTINGS ${DURABLE}`,
    `CREATE TABLE rollups (
      level UInt32, ${place}, at DateTime('UTC'), origins Array(${word}),
      agents UInt32, attempts UInt32, answered UInt32, reachability Nullable(Float64),
      seconds Map(${word}, Float64), failures Map(${word}, UInt32),
      verdict ${word}, layer ${word}, mechanism ${word}, state ${word}, networks Map(${word}, UInt32), revision UInt64
    ) ENGINE = ReplacingMergeTree(revision) PARTITION BY (level, toYYYYMM(at))
    ORDER BY (level, app, country, asn, feature, at) SETTINGS ${DURABLE}`,
    // The one flag of k-anonymity: obeyed by page, API, exports, /metrics and remote write alike.
    `CREATE TABLE network_days (
      country ${word}, asn UInt32, day Date, agents UInt32, public UInt8, revision UInt64
    ) ENGINE = ReplacingMergeTree(revision) ORDER BY (country, asn, day) SETTINGS ${DURABLE}`,
    // Every revision is kept: "known now, happened then". Readers take the newest per id.
    `CREATE TABLE degradations (
      id String, revision UInt32, known DateTime64(3, 'UTC'), app ${word}, country ${word}, onset DateTime('UTC'),
      json String
    ) ENGINE = MergeTree ORDER BY (app, country, id, revision) SETTINGS ${DURABLE}`,
    `CREATE TABLE facts (kind ${word}, key String, version UInt64, json String)
    ENGINE = MergeTree ORDER BY (kind, key, version) SETTINGS ${DURABLE}`,
  ],
  [
    // What agents say they measured beside what arrived (server/ledger.ts). `agent` joins with nothing else.
    `CREATE TABLE deliveries (
      agent String, day Date, arrived DateTime64(3, 'UTC'), measured UInt64, dropped UInt64, first UInt64, last UInt64
    ) ENGINE = MergeTree PARTITION BY toYYYYMM(day) ORDER BY (agent, day, first)
    TTL day + INTERVAL 400 DAY SETTINGS ${DURABLE}`,
    // The token of a prefix serves the votes of two weeks and is then forgotten (DESIGN §4).
    `ALTER TABLE measurements_raw MODIFY COLUMN prefix_token UInt32 TTL toDateTime(arrived) + INTERVAL 14 DAY`,
    `ALTER TABLE agent_windows MODIFY COLUMN prefix UInt32 TTL at + INTERVAL 14 DAY`,
  ],
  [
    // What the detector knew of a network at the start of a day (server/watch.ts): a cache, made anew from agent_windows.
    `CREATE TABLE detector_states (
      country ${word}, asn UInt32, at DateTime('UTC'), rule UInt32, state String CODEC(ZSTD), written UInt64
    ) ENGINE = ReplacingMergeTree(written) ORDER BY (country, asn, at) TTL at + INTERVAL 30 DAY DELETE WHERE toDayOfWeek(at) != 1
    SETTINGS ${DURABLE}`,
  ],
  [
    // Transfers: -1 where a mark was not reached. `pair` joins the legs of one test of one agent; empty where it is none.
    `ALTER TABLE measurements_raw
      ADD COLUMN IF NOT EXISTS steps.reached Array(Array(Float64)) AFTER steps.series,
      ADD COLUMN IF NOT EXISTS steps.gap Array(Float64) AFTER steps.reached,
      ADD COLUMN IF NOT EXISTS pair String, ADD COLUMN IF NOT EXISTS pair_leg ${word},
      ADD COLUMN IF NOT EXISTS pair_round UInt8, ADD COLUMN IF NOT EXISTS pair_test ${word},
      ADD COLUMN IF NOT EXISTS pair_differs ${word}, ADD COLUMN IF NOT EXISTS pair_first Bool`,
    // A view keeps the columns of the day it was made.
    `DROP VIEW IF EXISTS measurements`,
    `CREATE VIEW measurements AS
      SELECT *, fromUnixTimestamp64Milli(toUnixTimestamp64Milli(at) + toInt64(round(offset * 1000)), 'UTC') AS placed
      FROM measurements_raw FINAL`,
  ],
  [
    // Who was asked to measure what anew, so that the answers are known as such (server/confirmations.ts). Private.
    `CREATE TABLE confirmation_requests (
      ${place}, agent String, targets Array(${word}), asked DateTime('UTC'), expires DateTime('UTC')
    ) ENGINE = MergeTree ORDER BY (country, app, feature, asn, asked) TTL asked + INTERVAL 400 DAY SETTINGS ${DURABLE}`,
  ],
  [
    // Paired transfers, one test of one agent a row, judged (server/pairs.ts). Private, like agent_windows beside it.
    `CREATE TABLE agent_pairs (
      ${place}, agent String, pair String, at DateTime('UTC'), origin ${word}, role ${word}, trust ${word}, prefix UInt32,
      test ${word}, differs ${word}, answer ${word}, strength ${word}, mechanism ${word}, rate Nullable(Float64),
      slower Nullable(Float64), low Nullable(Float64), high Nullable(Float64), coverage Float64, pairs UInt8,
      app_goodput Nullable(Float64), control_goodput Nullable(Float64), ratio Nullable(Float64), idle Nullable(Float64),
      app_stalls UInt16, app_tries UInt16, control_stalls UInt16, control_tries UInt16, rule UInt32, revision UInt64
    ) ENGINE = ReplacingMergeTree(revision) PARTITION BY toYYYYMM(at) ORDER BY (app, country, asn, toDate(at), agent, pair)
    SETTINGS ${DURABLE}`,
    // Of paired transfers: bytes a second of app and control, their ratio by what they differ in, the rate of a policer.
    `ALTER TABLE rollups ADD COLUMN IF NOT EXISTS goodput Map(${word}, Float64) AFTER seconds`,
  ],
  // Time comes first: the present, an hour and a day lie together, whatever else the store has.
  reordered({
    agent_windows: `ENGINE = ReplacingMergeTree(revision) PARTITION BY toYYYYMM(at)
      ORDER BY (toStartOfHour(at), country, asn, at, app, feature, target, agent)`,
    verdicts: `ENGINE = ReplacingMergeTree(revision) PARTITION BY toYYYYMM(at) ORDER BY (at, country, app, feature, asn)`,
    rollups: `ENGINE = ReplacingMergeTree(revision) PARTITION BY (level, toYYYYMM(at))
      ORDER BY (level, ${STRETCH}, app, country, asn, feature, at)`,
  }),
  [
    // Target and control of one agent paired in a bin of the detector (server/trials.ts); a cache of agent_windows, private like them.
    `CREATE TABLE agent_trials (
      country ${word}, asn UInt32, at DateTime('UTC'), app ${word}, feature ${word}, agent String,
      prefix UInt32 TTL at + INTERVAL 14 DAY, attempts UInt32, answered UInt32, ratio Nullable(Float32), abroad UInt8, home UInt8,
      failures Map(${word}, UInt32), revision UInt64
    ) ENGINE = ReplacingMergeTree(revision) PARTITION BY toYYYYMM(at) ORDER BY (country, asn, at, app, feature, agent)
    SETTINGS ${DURABLE}, index_granularity = 1024`,
  ],
]

/** The tables whose rows are sorted anew; none needs a keeper of what is half done: each statement may be run again. */
function reordered(tables: Readonly<Record<string, string>>): string[] {
  return Object.entries(tables).flatMap(([table, key]) => [
    `DROP TABLE IF EXISTS ${table}_before`,
    `CREATE TABLE ${table}_next AS ${table} ${key} SETTINGS ${DURABLE}, index_granularity = 1024`,
    `INSERT INTO ${table}_next SELECT * FROM ${table} SETTINGS max_partitions_per_insert_block = 0, optimize_on_insert = 0`,
    `RENAME TABLE ${table} TO ${table}_before, ${table}_next TO ${table}`,
    `DROP TABLE ${table}_before`,
  ])
}

/** The migration that made agent_trials. */
const PAIRED_SINCE = 1 + migrations.findIndex(of => of.some(sql => sql.startsWith('CREATE TABLE agent_trials')))

/** Bring the schema of a store up to this program's; refuses a store that a newer program has written. */
export const migrate = async (store: Store): Promise<void> => {
  await store.command(`CREATE TABLE IF NOT EXISTS migrations (version UInt32, at DateTime DEFAULT now())
    ENGINE = MergeTree ORDER BY version SETTINGS ${DURABLE}`)
  const [row] = await store.query<{ version: number }>('SELECT max(version) AS version FROM migrations')
  const done = row?.version ?? 0
  if (done > migrations.length) {
    throw new SettingsError(
      `The store has schema ${done}, this program knows ${migrations.length}: start the newer program, or restore a backup made before the upgrade.`,
    )
  }
  for (let version = done + 1; version <= migrations.length; version++) {
    // A crash in the middle of a migration runs it again from its start.
    for (const sql of migrations[version - 1] ?? []) {
      await store.command(sql.replace(/^CREATE (TABLE|VIEW) /, 'CREATE $1 IF NOT EXISTS '), {
        ...pairingParams,
        revision: 0,
      })
    }
    // What the store knew before there was this table is paired now.
    if (version === PAIRED_SINCE && done > 0)
      await store.command(pairingSql('WHERE 1'), { ...pairingParams, revision: 0 })
    await store.insert('migrations', [{ version }])
  }
}
