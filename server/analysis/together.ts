import type { Degradation } from '../../measurement/answers.ts'
import { CONTROL } from '../../measurement/catalogue.ts'
import type { Finding } from './degradations.ts'
import { TOGETHER_SECONDS } from './parts.ts'

type Begun = { app: string; onset: number; networks: readonly number[] }

/** Whether two began within two hours on a network of both. What is about networks themselves has no part in it. */
const beganTogether = (a: Begun, b: Begun): boolean =>
  a.app !== CONTROL &&
  b.app !== CONTROL &&
  Math.abs(a.onset - b.onset) <= TOGETHER_SECONDS &&
  a.networks.some(asn => b.networks.includes(asn))

/**
 * Findings of a country that began together, of any app and feature, by the name they share: the one that any of them has
 * already, so that nobody is told twice, else the id of the first. Those alone are left out.
 */
export const incidentsOf = (findings: readonly (Begun & { id: string; incident?: string })[]): Map<string, string> => {
  const groups: (typeof findings)[number][][] = []
  for (const finding of findings.toSorted((a, b) => a.onset - b.onset || (a.id < b.id ? -1 : 1))) {
    const group = groups.find(of => of.some(other => beganTogether(other, finding)))
    if (group) group.push(finding)
    else groups.push([finding])
  }
  return new Map(
    groups.flatMap(group => {
      const incident = group.find(of => of.incident)?.incident ?? (group.length > 1 ? group[0]!.id : undefined)
      return incident === undefined ? [] : group.map(({ id }): [string, string] => [id, incident])
    }),
  )
}

/** Of all apps of a country: which others' trouble began within two hours on a network of each finding. */
export const besideEachOther = <D extends { app: string; findings: readonly Finding[] }>(
  described: readonly D[],
): D[] => {
  const all = described.flatMap(({ app, findings }) => findings.map(finding => ({ app, finding })))
  return described.map(of => ({
    ...of,
    findings: of.findings.map(finding => {
      const others = all.filter(
        ({ app, finding: other }) => app !== of.app && beganTogether({ ...other, app }, { ...finding, app: of.app }),
      )
      return { ...finding, together: [...new Set(others.map(({ app }) => app))].sort() }
    }),
  }))
}

const seconds = (time: string): number => Date.parse(time) / 1000

/** The known degradation that a finding continues: it shares a network, and the most time. */
export const matching = (known: readonly Degradation[], { networks, onset, end }: Finding): Degradation | undefined => {
  const overlap = (of: Degradation): number =>
    Math.min(of.end ? seconds(of.end) : Number.MAX_SAFE_INTEGER, end ?? Number.MAX_SAFE_INTEGER) -
    Math.max(seconds(of.onset), onset)
  return (
    known
      .filter(of => of.networks.some(asn => networks.includes(asn)) && overlap(of) > 0)
      // Of two that were told by two analysts at once both go on with the same one, and both withdraw the other.
      .toSorted((a, b) => overlap(b) - overlap(a) || (a.id < b.id ? -1 : 1))[0]
  )
}

/** When the first of these findings began, by series and network. */
export const onsetsOf = (known: readonly Degradation[]): Map<string, number> => {
  const begun = new Map<string, number>()
  for (const { app, feature, networks, onset } of known) {
    for (const asn of networks) {
      const key = `${app} ${feature} ${asn}`
      begun.set(key, Math.min(begun.get(key) ?? Number.POSITIVE_INFINITY, seconds(onset)))
    }
  }
  return begun
}
