import { CONTROL } from '../../measurement/catalogue.ts'
import type { Finding } from './degradations.ts'
import { TOGETHER_SECONDS } from './parts.ts'

/** Of all apps of a country: which others' trouble began within two hours on a network of each finding. */
export const besideEachOther = <D extends { app: string; findings: readonly Finding[] }>(
  described: readonly D[],
): D[] => {
  const all = described.flatMap(({ app, findings }) => findings.map(finding => ({ app, finding })))
  return described.map(of => ({
    ...of,
    findings: of.findings.map(finding => {
      const others = all.filter(
        ({ app, finding: other }) =>
          app !== of.app &&
          app !== CONTROL &&
          of.app !== CONTROL &&
          Math.abs(other.onset - finding.onset) <= TOGETHER_SECONDS &&
          other.networks.some(asn => finding.networks.includes(asn)),
      )
      return { ...finding, together: [...new Set(others.map(({ app }) => app))].sort() }
    }),
  }))
}
