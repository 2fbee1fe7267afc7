/** Panels and links that stand on several boards. */
import { type Place, WHOLE } from './figures.ts'
import { column, toBoard, toEvidence, variable } from './links.ts'
import { type Panel, type Spec, target } from './panel.ts'
import { against, gauge, type Match, max } from './query.ts'
import { table } from './tables.ts'

export const toApp = (app: string, country: string) =>
  toBoard('app', 'The app there', { app, country, feature: variable('feature') })
export const toNetwork = (country: string, asn: string) =>
  toBoard('network', 'The network', { country, asn, feature: variable('feature') })

const finding = ['app', 'feature', 'country', 'verdict', 'layer', 'state'] as const

/** Everything the detector holds open, a line each. */
export function openDegradations(
  place: Pick<Spec, 'id' | 'width' | 'height'>,
  where: { readonly [L in Exclude<Place, 'asn'>]?: Match<string> },
): Panel {
  return table({
    ...place,
    title: 'Open degradations',
    read: 'One line per degradation: what, where, at which layer, since when, over how many networks, on the word of how many agents.',
    unit: 'none',
    targets: [
      target(max(gauge('peyk_degraded_networks', where), finding), finding),
      target(max(gauge('peyk_degraded_agents', where), finding), finding),
      target(against(max(gauge('peyk_degraded_since_timestamp_seconds', where), finding), '*', 1000), finding),
    ],
    columns: [
      {
        from: 'app',
        head: 'App',
        links: [
          toApp(column('App'), column('Country')),
          toEvidence({ app: column('App'), country: column('Country') }),
        ],
      },
      { from: 'feature', head: 'Feature' },
      { from: 'country', head: 'Country', links: [toNetwork(column('Country'), WHOLE)] },
      { from: 'verdict', head: 'Verdict', verdict: true },
      { from: 'layer', head: 'Layer' },
      { from: 'state', head: 'State' },
      { from: 'Value #A', head: 'Networks' },
      { from: 'Value #B', head: 'Agents', colour: 'agents' },
      { from: 'Value #C', head: 'Since', unit: 'dateTimeAsIso' },
    ],
    order: { head: 'Since' },
    empty: 'No degradation is open',
  })
}
