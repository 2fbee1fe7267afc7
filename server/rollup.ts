import { allTargets, CONTROL } from '../measurement/catalogue.ts'
import { failures } from '../measurement/failure.ts'
import { layerOf, operations } from '../measurement/step.ts'
import { ROLLUP_SECONDS, type RollupLevel, rollupLevels, windowStart } from '../measurement/windows.ts'
import type { Params, Store } from './store/store.ts'
import { chunksOf, TOUCHED, type Touched } from './touched.ts'

/** Of those that are made from raw rows: bounds what is held in memory, and sorts faster. */
const RAW_CHUNK = 2_000
/** Clocks wrong by more than this are looked for apart, so that the others stay a range of the sort key. */
const NEAR_SECONDS = 86_400

const targets = allTargets()
const ids = (filter: (of: (typeof targets)[number]) => boolean): string[] =>
  targets.filter(filter).map(({ target }) => target.id)

/** What the statements need to know of the catalogue and the failures; bound, never written into SQL. */
const facts: Params = {
  control: CONTROL,
  foreign: ids(({ target }) => target.control === 'foreign'),
  domestic: ids(({ target }) => target.control === 'domestic'),
  deciding: ids(({ app, target }) => app !== CONTROL && !target.experimental && target.decides === 'yes'),
  imports: ids(({ target }) => !target.experimental && target.decides === 'imports'),
  comparing: ids(({ target }) => target.kind === 'dns' && target.ask.against !== undefined),
  own: Object.entries(failures).flatMap(([name, { blame }]) => (blame === 'agent' ? [name] : [])),
  operations: [...operations],
  layers: operations.map(operation => layerOf[operation]),
}

const mapOf = (key: string, value: string): string => `CAST((${key}, ${value}), 'Map(String, UInt32)')`

/** Medians by operation of an array of (operation, seconds); mostly there is one of each, and nothing to sort. */
const MEDIANS = (
  pairs: string,
): string => `if(length(arrayDistinct(${pairs}.1)) = length(${pairs}), CAST(${pairs}, 'Map(String, Float64)'),
  CAST((arrayDistinct(${pairs}.1), arrayMap(o -> arrayReduce('median', arrayMap(p -> p.2, arrayFilter(p -> p.1 = o, ${pairs}))),
    arrayDistinct(${pairs}.1))), 'Map(String, Float64)'))`

/**
 * `agent_windows` of the touched windows, from raw rows. Left out: quarantined agents, and rows whose time is not known.
 * A run that failed by the agent's own doing is no attempt (`own`); one whose agent was too busy gives no
 * seconds. Of several results at one time (a name with several addresses) the one that answered stands for the target.
 * The words of the latest attempt are one text while they are grouped: a million states of ten words each take most of
 * the time otherwise.
 */
const AGENT_WINDOWS = `INSERT INTO agent_windows
WITH runs AS (
  SELECT app, feature, country, asn, target, agent, prefix_token, placed, failure, served_asn,
    toStartOfInterval(placed, INTERVAL ${ROLLUP_SECONDS} SECOND) AS start,
    failure IN {own:Array(String)} OR startsWith(failure, 'unknown_failure') AS fault,
    transform(arrayFirst((o, f) -> f != '', \`steps.operation\`, \`steps.failure\`), {operations:Array(String)}, {layers:Array(String)}, '') AS layer,
    toUnixTimestamp64Milli(placed) * 2 + (failure = '') + if(fault, 0, bitShiftLeft(toInt64(1), 60)) AS rank,
    concatWithSeparator('\n', kind, served_dc, origin, role, trust, access, served_country, layer, failure) AS words,
    if(has(marks, 'loop_stalled'), [], arrayMap(p -> (toString(p.1), p.2), arrayFilter(p -> p.2 > 0 AND p.3 = '',
      arrayZip(\`steps.operation\`, \`steps.duration\`, \`steps.failure\`)))) AS timed
  FROM measurements
  WHERE (at BETWEEN fromUnixTimestamp({from:Int64} - ${NEAR_SECONDS}) AND fromUnixTimestamp({to:Int64} + ${NEAR_SECONDS}) OR abs(offset) > ${NEAR_SECONDS})
    AND country IN {countries:Array(String)} AND asn IN {asns:Array(UInt32)}
    AND trust != 'quarantined' AND NOT has(marks, 'time_uncertain')
    AND (country, asn, toUInt32(start)) IN ${TOUCHED}
), windows AS (
  SELECT app, feature, country, asn, target, agent, start, splitByChar('\n', argMax(words, rank)) AS latest,
    argMax(prefix_token, rank) AS prefix, argMax(served_asn, rank) AS served, max(placed) AS last,
    countIf(NOT fault) AS attempts, countIf(failure = '') AS answered, countIf(fault) AS own,
    sumMapIf(${mapOf("[concat(layer, '/', failure)]", '[1]')}, failure != '' AND NOT fault) AS failures,
    groupArrayArray(timed) AS timed
  FROM runs GROUP BY app, feature, country, asn, target, agent, start
), controls AS (
  SELECT country, asn, agent, start,
    countIf(target IN {foreign:Array(String)}) AS control_tried,
    countIf(target IN {foreign:Array(String)} AND failure = '') AS control_answered,
    countIf(target IN {domestic:Array(String)}) AS domestic_tried,
    countIf(target IN {domestic:Array(String)} AND failure = '') AS domestic_answered,
    groupArrayArrayIf(timed, target IN {foreign:Array(String)}) AS control_timed, ${MEDIANS('control_timed')} AS control_seconds
  FROM runs WHERE app = {control:String} GROUP BY country, asn, agent, start
)
SELECT app, feature, country, asn, target, latest[1] AS kind, latest[2] AS dc, agent, start AS at,
  latest[3], latest[4], latest[5], prefix, latest[6], attempts, answered, own, last, latest[9] = '', latest[9], latest[8],
  failures, ${MEDIANS('timed')}, served, latest[7],
  control_tried, control_answered, domestic_tried, domestic_answered, control_seconds, {revision:UInt64}
FROM windows LEFT JOIN controls USING (country, asn, agent, start)
SETTINGS optimize_on_insert = 0`

/** Whether a result counts for reachability (catalogue.ts, \`decides\`). */
export const DECIDES = `(target IN {deciding:Array(String)} OR (origin = 'ooni' AND target IN {imports:Array(String)}))`

/** Networks, and the country over all its agents as network 0; agents on unknown networks count in their country only. */
const NETWORKS = 'ARRAY JOIN if(asn = 0, [toUInt32(0)], [asn, toUInt32(0)]) AS network'

/** Of paired transfers: one vote per agent and what its flows differ in. */
const transfersSql = (level: RollupLevel): string => `), flows AS (
  SELECT app, feature, country, network, start, any(origin) AS origin, agent, differs, median(app_goodput) AS ours,
    median(control_goodput) AS theirs, median(ratio) AS part, medianIf(rate, mechanism IN ('police', 'shape')) AS held
  FROM (SELECT *, toUInt32(intDiv(toUInt32(at), ${level}) * ${level}) AS start FROM agent_pairs
    WHERE at >= fromUnixTimestamp(intDiv({from:UInt32}, ${level}) * ${level}) AND at < fromUnixTimestamp({to:UInt32} + ${level})
      AND country IN {countries:Array(String)} AND role != 'control'
    ORDER BY revision DESC LIMIT 1 BY country, asn, agent, pair)
  ${NETWORKS}
  WHERE (country, network, start) IN (SELECT country, asn, start FROM touched)
  GROUP BY app, feature, country, network, start, agent, differs
), transfers AS (
  SELECT app, feature, country, network, start, groupUniqArray(origin) AS paired_origins, uniqExact(agent) AS paired_agents,
    mapFilter((k, v) -> isFinite(v), map('app', ifNull(medianIf(ours, differs = 'place'), nan),
      'control', ifNull(medianIf(theirs, differs = 'place'), nan), 'held', ifNull(median(held), nan),
      'ratio/control', ifNull(medianIf(part, differs = 'place'), nan), 'ratio/name', ifNull(medianIf(part, differs = 'name'), nan),
      'ratio/shape', ifNull(medianIf(part, differs = 'protocol'), nan), 'ratio/port', ifNull(medianIf(part, differs = 'port'), nan))) AS goodput
  FROM flows GROUP BY app, feature, country, network, start
`

/** Whether there were any: most servers' rollups are spared the rest. */
const ANY_PAIRS = `SELECT 1 AS one FROM agent_pairs WHERE country IN {countries:Array(String)}
  AND at >= fromUnixTimestamp(intDiv({from:UInt32}, 86400) * 86400) AND at < fromUnixTimestamp({to:UInt32} + 86400) LIMIT 1`

/** Public rollups of one level, from agent_windows and verdicts of the touched spans. One vote per agent. */
const rollupsSql = (
  level: RollupLevel,
  paired: boolean,
): string => `INSERT INTO rollups (level, app, feature, country, asn, at, origins, agents, attempts, answered, reachability, seconds,
  goodput, failures, verdict, layer, mechanism, state, networks, revision)
WITH touched AS (SELECT DISTINCT t.1 AS country, arrayJoin([t.2, 0]) AS asn, intDiv(t.3, ${level}) * ${level} AS start
  FROM (SELECT arrayJoin(arrayZip({countries:Array(String)}, {asns:Array(UInt32)}, {starts:Array(UInt32)})) AS t)),
voters AS (
  SELECT app, feature, country, network, agent, any(origin) AS origin, toUInt32(intDiv(toUInt32(at), ${level}) * ${level}) AS start,
    sum(attempts) AS tried, sum(answered) AS got,
    sumMap(CAST((arrayMap(k -> splitByChar('/', k)[2], mapKeys(failures)), mapValues(failures)), 'Map(String, UInt32)')) AS failed,
    groupArrayArray(arrayZip(arrayMap(k -> toString(k), mapKeys(seconds)), mapValues(seconds))) AS timed
  FROM (SELECT * FROM agent_windows FINAL
    PREWHERE at >= fromUnixTimestamp(intDiv({from:UInt32}, ${level}) * ${level}) AND at < fromUnixTimestamp({to:UInt32} + ${level})
      AND country IN {countries:Array(String)}
    WHERE ${DECIDES})
  ${NETWORKS}
  WHERE (country, network, start) IN (SELECT country, asn, start FROM touched)
  GROUP BY app, feature, country, network, agent, start HAVING tried > 0
), numbers AS (
  SELECT app, feature, country, network, start, groupUniqArray(origin) AS origins, count() AS agents, sum(tried) AS attempts,
    sum(got) AS answered, median(got / tried) AS reachability, sumMap(failed) AS failures,
    groupArrayArray(arrayZip(mapKeys(medians), mapValues(medians))) AS timed
  FROM (SELECT *, ${MEDIANS('timed')} AS medians FROM voters) GROUP BY app, feature, country, network, start
${paired ? transfersSql(level) : ''}), words AS (
  SELECT app, feature, country, asn AS network, start, argMax(verdict, (judged, worst)) AS verdict, argMax(top, (judged, worst)) AS cause
  FROM (
    SELECT app, feature, country, asn, toUInt32(intDiv(toUInt32(at), ${level}) * ${level}) AS start, verdict, count() AS judged,
      indexOf({verdicts:Array(String)}, toString(verdict)) AS worst, topK(1)((layer, mechanism, state))[1] AS top
    FROM verdicts FINAL
    WHERE at >= fromUnixTimestamp(intDiv({from:UInt32}, ${level}) * ${level}) AND at < fromUnixTimestamp({to:UInt32} + ${level})
      AND country IN {countries:Array(String)} AND (country, start) IN (SELECT country, start FROM touched)
    GROUP BY app, feature, country, asn, start, verdict
  ) GROUP BY app, feature, country, asn, start
), counts AS (
  SELECT app, feature, country, start, sumMap(${mapOf('[toString(verdict)]', '[1]')}) AS counted
  FROM words WHERE network != 0 AND verdict != 'insufficient' GROUP BY app, feature, country, start
), told AS (
  SELECT words.*, if(network = 0, counted, CAST(map(), 'Map(String, UInt64)')) AS networks FROM words LEFT JOIN counts USING (app, feature, country, start)
  WHERE (country, network, start) IN (SELECT country, asn, start FROM touched)
)
SELECT ${level}, app, feature, country, network, fromUnixTimestamp(start),
  ${paired ? 'arrayDistinct(arrayConcat(origins, paired_origins)), if(agents > 0, agents, paired_agents)' : 'origins, agents'}, attempts, answered,
  if(agents > 0, reachability, NULL), ${MEDIANS('timed')}, ${paired ? 'goodput' : 'map()'}, failures,
  if(verdict = '', 'insufficient', verdict), cause.1, cause.2, cause.3, networks, {revision:UInt64}
FROM (SELECT * FROM numbers FULL JOIN told USING (app, feature, country, network, start)) AS known
${paired ? 'FULL JOIN transfers USING (app, feature, country, network, start)' : ''}`

export const agentWindows = async (store: Store, touched: Touched): Promise<void> => {
  for (const chunk of chunksOf(touched, RAW_CHUNK))
    await store.command(AGENT_WINDOWS, { ...facts, ...chunk, revision: Date.now() })
}

export const rollups = async (
  store: Store,
  touched: Touched,
  verdicts: readonly string[],
  levels: readonly RollupLevel[] = rollupLevels,
): Promise<void> => {
  for (const level of levels) {
    for (const chunk of chunksOf(coarser(touched, level))) {
      const paired = (await store.query(ANY_PAIRS, chunk)).length > 0
      await store.command(rollupsSql(level, paired), { ...facts, ...chunk, verdicts, revision: Date.now() })
    }
  }
}

/** The spans of one level that windows lie in. */
const coarser = (touched: Touched, level: RollupLevel): Touched =>
  new Map([...touched].map(([network, windows]) => [network, new Set([...windows].map(at => windowStart(at, level)))]))

/** Parameters that name the deciding targets, for other readers of agent_windows. */
export const decidingParams: Params = {
  deciding: facts['deciding']!,
  imports: facts['imports']!,
  comparing: facts['comparing']!,
}
