/** Many events are tested, one after another, and few of them did anything: how small a p must be to count. */

export const ALPHA = 0.05
/**
 * What the first tests may spend. The paper's examples take α/10 and a slowly falling share; no rank among a few hundred
 * placebos is as small as the levels that gives (0.0003 at first), so nothing could ever be found. Any start up to α and
 * any shares that fall and sum to one control the same rate.
 */
const FIRST_WEALTH = ALPHA / 2
/** Riemann's ζ(3/2), so that the shares sum to one. */
const ZETA = 2.612_375_348_685_488

const share = (t: number): number => (t < 1 ? 0 : t ** -1.5 / ZETA)

export type Tested = { level: number; found: boolean }

/**
 * LORD++ (Ramdas, Yang, Wainwright & Jordan 2017, arXiv:1710.00499): levels and findings of a stream of p-values, in
 * their order. The expected share of false findings stays at most `ALPHA` for independent p-values.
 *
 *     level_t = γ_t w₀ + (α − w₀) γ_{t−τ₁} + α Σ_{j≥2} γ_{t−τ_j}     τ_j: when the j-th finding was made
 */
export const lordPlusPlus = (ps: readonly number[]): Tested[] => {
  const findings: number[] = []
  return ps.map((p, i) => {
    const t = i + 1
    let level = share(t) * FIRST_WEALTH
    for (const [j, when] of findings.entries()) level += (j === 0 ? ALPHA - FIRST_WEALTH : ALPHA) * share(t - when)
    const found = p <= level
    if (found) findings.push(t)
    return { level, found }
  })
}
