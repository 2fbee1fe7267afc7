/**
 * A TCP sender, as much of it as shapes a transfer: what is lost is known by later packets' acks (RACK, RFC 8985), by a
 * probe of the tail, or by the timer (RFC 6298, 0.2 s at least as on Linux); how fast it sends is CUBIC's window
 * (RFC 9438) or a model of BBR's (start-up, drain, cycle of gains).
 */
export type Sender = {
  /** The packet to send now, or null. */
  next(now: number): number | null
  /** When it wants to be called though nothing came: pacing, or a timer. */
  wake(): number
  timeout(now: number): void
  /** What the reader had got when it sent the ack that came now: `log[0..upTo)`. */
  acked(log: readonly number[], upTo: number, now: number): void
}

type Control = {
  window(): number
  /** Packets a second; Infinity where the window alone decides. */
  pace(): number
  onAck(count: number, now: number, rtt: number | null, rate: number | null): void
  onLoss(now: number): void
  onTimer(): void
}

const INITIAL = 10
const REORDERING = 3
const LEAST_TIMER = 0.2

export const senderOf = (congestion: 'cubic' | 'bbr', packets: number, began: number): Sender => {
  const control = congestion === 'cubic' ? cubic() : bbr()
  const state = new Uint8Array(packets)
  const [UNSENT, FLYING, LOST, DONE] = [0, 1, 2, 3]
  const order = new Int32Array(packets)
  const sentAt = new Float64Array(packets)
  const doneAtSend = new Int32Array(packets)
  const again = new Uint8Array(packets)
  let fresh = 0
  let flying = 0
  let lost = 0
  let done = 0
  let sends = 0
  let newest = -1
  let recoverUntil = -1
  let read = 0
  let srtt = 0
  let rttvar = 0
  let backoff = 1
  let probed = false
  let since = began
  let paced = began

  const timer = (): number => Math.max(LEAST_TIMER, srtt > 0 ? srtt + 4 * rttvar : 1) * backoff
  const wait = (): number => (!probed && srtt > 0 && flying > 0 ? Math.min(timer(), Math.max(0.01, 2 * srtt)) : timer())
  const wanted = (): boolean => lost > 0 || fresh < packets

  const emit = (packet: number, now: number): number => {
    if (state[packet] === LOST) lost--
    if (state[packet] !== FLYING) flying++
    again[packet] = state[packet] === UNSENT ? 0 : 1
    state[packet] = FLYING!
    order[packet] = sends++
    sentAt[packet] = now
    doneAtSend[packet] = done
    if (flying === 1) since = now
    const pace = control.pace()
    if (pace !== Number.POSITIVE_INFINITY) paced = Math.max(paced, now) + 1 / pace
    return packet
  }

  return {
    next: now => {
      if (!wanted() || flying >= Math.floor(control.window()) || paced > now + 1e-9) return null
      return emit(lost > 0 ? state.indexOf(LOST!) : fresh++, now)
    },
    wake: () => {
      if (done === packets) return Number.POSITIVE_INFINITY
      const blocked = flying >= Math.floor(control.window()) || !wanted()
      return Math.min(since + wait(), blocked ? Number.POSITIVE_INFINITY : paced)
    },
    timeout: now => {
      if (now < since + wait() - 1e-9) return
      since = now
      if (!probed && srtt > 0 && flying > 0) {
        // One probe of the tail, then the timer.
        probed = true
        emit(state.lastIndexOf(FLYING!), now)
        return
      }
      for (let at = 0; at < fresh; at++) {
        if (state[at] !== FLYING) continue
        state[at] = LOST!
        lost++
      }
      flying = 0
      backoff = Math.min(64, backoff * 2)
      control.onTimer()
    },
    acked: (log, upTo, now) => {
      let count = 0
      let last = -1
      for (; read < upTo; read++) {
        const packet = log[read]!
        newest = Math.max(newest, order[packet]!)
        if (state[packet] === DONE) continue
        if (state[packet] === FLYING) flying--
        if (state[packet] === LOST) lost--
        state[packet] = DONE!
        done++
        count++
        last = packet
      }
      if (last < 0) return
      since = now
      probed = false
      backoff = 1
      const rtt = again[last] ? null : now - sentAt[last]!
      if (rtt !== null) {
        rttvar = srtt === 0 ? rtt / 2 : 0.75 * rttvar + 0.25 * Math.abs(srtt - rtt)
        srtt = srtt === 0 ? rtt : 0.875 * srtt + 0.125 * rtt
      }
      let missing = false
      for (let at = 0; at < fresh; at++) {
        if (state[at] !== FLYING || order[at]! > newest - REORDERING) continue
        state[at] = LOST!
        flying--
        lost++
        missing = true
      }
      const rate = now > sentAt[last]! ? (done - doneAtSend[last]!) / (now - sentAt[last]!) : null
      if (missing && newest > recoverUntil) {
        recoverUntil = sends
        control.onLoss(now)
      }
      if (newest > recoverUntil || congestion === 'bbr') control.onAck(count, now, rtt, rate)
    },
  }
}

/** RFC 9438: C 0.4, beta 0.7. */
const cubic = (): Control => {
  let window = INITIAL
  let threshold = Number.POSITIVE_INFINITY
  let most = 0
  let epoch = 0
  let reno = 0
  const shrink = (factor: number): void => {
    most = window
    threshold = Math.max(2, window * factor)
  }
  return {
    window: () => window,
    pace: () => Number.POSITIVE_INFINITY,
    onAck: (count, now) => {
      if (window < threshold) {
        window += count
        return
      }
      if (epoch === 0) {
        epoch = now
        most = Math.max(most, window)
        reno = window
      }
      const k = Math.cbrt((most * 0.3) / 0.4)
      const target = 0.4 * (now - epoch - k) ** 3 + most
      reno += (0.53 * count) / window
      window = Math.max(window + Math.min(count / 2, Math.max(0, (count * (target - window)) / window)), reno)
    },
    onLoss: () => {
      shrink(0.7)
      window = threshold
      epoch = 0
    },
    onTimer: () => {
      shrink(0.5)
      window = 1
      epoch = 0
    },
  }
}

const GAINS = [1.25, 0.75, 1, 1, 1, 1, 1, 1]
const STARTUP = 2.89

/** BBR version 1 in outline: it paces at the best rate seen and does not mind loss. */
const bbr = (): Control => {
  let rates: { at: number; rate: number }[] = []
  let best = 0
  let trip = Number.POSITIVE_INFINITY
  let phase: 'startup' | 'drain' | 'cycle' = 'startup'
  let full = 0
  let flat = 0
  let round = 0
  let held = false
  const gain = (now: number): number =>
    phase === 'startup' ? STARTUP : phase === 'drain' ? 1 / STARTUP : GAINS[Math.floor(now / trip) % GAINS.length]!
  let clock = 0
  return {
    window: () => {
      if (held) return 1
      if (best === 0) return INITIAL
      return Math.max(4, (phase === 'startup' ? STARTUP : 2) * best * trip)
    },
    pace: () => (best === 0 ? Number.POSITIVE_INFINITY : Math.max(1, gain(clock) * best)),
    onAck: (_, now, rtt, rate) => {
      clock = now
      held = false
      if (rtt !== null) trip = Math.min(trip, rtt)
      if (rate !== null) rates.push({ at: now, rate })
      rates = rates.filter(({ at }) => at > now - 10 * Math.min(trip, 1))
      best = Math.max(...rates.map(({ rate }) => rate), 1)
      if (now < round) return
      round = now + trip
      if (phase === 'startup') {
        flat = best > 1.25 * full ? 0 : flat + 1
        full = Math.max(full, best)
        if (flat >= 3) phase = 'drain'
      } else phase = 'cycle'
    },
    onLoss: () => {},
    onTimer: () => {
      held = true
    },
  }
}
