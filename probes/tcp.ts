import type { Probe } from './probe.ts'

/** Whether TCP opens. Says nothing of the app on an endpoint that has a protocol of its own (DESIGN §3). */
export const tcp: Probe<'tcp'> = async (_target, net) => {
  await net.reach()
}
