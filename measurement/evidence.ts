import { type Static, Type } from 'typebox'
import { Degradation, Series } from './answers.ts'

/** What a finding rests on, and where all of it is fetched. */
export const Evidence = Type.Object({
  rule: Type.Integer({ description: 'Version of the rules of the program that answers; rows name that of their own.' }),
  from: Type.String({
    format: 'date-time',
    description: 'Start of what is looked at: the finding and days before it.',
  }),
  to: Type.String({ format: 'date-time', description: 'Its end, not included.' }),
  queries: Type.Object(
    {
      series: Type.Array(Type.String(), { description: 'Rollups of the country and of each network.' }),
      measurements: Type.Array(Type.String(), { description: 'Public rows of each network.' }),
    },
    { description: 'Paths on this server that give the rows again.' },
  ),
  chart: Type.String({ description: 'Path of the picture (SVG); `lang=fa` for the Persian one.' }),
  bundle: Type.String({ description: 'Path of all of it: rows, picture, sentence, licences, hashes (zip).' }),
  series: Type.Array(Series, { description: 'The rollups by the day.' }),
})

/** One revision of a finding, all others, and what it rests on. */
export const FindingAnswer = Type.Object({
  degradation: Degradation,
  revisions: Type.Array(Degradation, { description: 'All that was ever said of it, oldest first.' }),
  evidence: Evidence,
})
export type FindingAnswer = Static<typeof FindingAnswer>
