/** Every board, in the order in which people go from the whole to the detail. */
import { board, type Dashboard, type Settings } from '../board.ts'
import { app } from './app.ts'
import { event } from './event.ts'
import { fleet } from './fleet.ts'
import { network } from './network.ts'
import { overview } from './overview.ts'
import { pipeline } from './pipeline.ts'
import { throttling } from './throttling.ts'

export const boards = (settings: Settings): Dashboard[] =>
  [overview, app, network, throttling, event(settings), fleet, pipeline].map(spec => board(spec, settings))
