import { randomBytes } from 'node:crypto'
import type { TargetOf } from '../../measurement/target.ts'
import { mayConnect } from '../net/address.ts'
import { askUntilAnswered } from '../net/datagram.ts'
import { openNet } from '../net/net.ts'
import { Trace } from '../net/trace.ts'
import { binding, mappedAddress } from '../stun.ts'
import { wireBytes } from './budget.ts'
import type { Family } from './may-ask.ts'
import { type FindLine, lineNow, type Vantage } from './vantage.ts'

/** Where a measurement is made. `line` changes when the machine moves to another network. */
export type Here = Vantage & { line: number; families: ReadonlySet<Family> }

/** Offline databases: ISO 3166 country of an address, ZZ where unknown, and number of its network, 0 where unknown. */
export type Locate = { country(address: string): string; asn(address: string): number }

/** How it is known: set by the owner, found just now, found earlier on this network, told by the Peyk server, by nobody, or two answers differ. */
export type Known = 'set' | 'found' | 'remembered' | 'told' | 'unknown' | 'differs'

/** A STUN server that was asked: what answered, for spacing, and bytes on the wire, for the budget. */
export type Asked = { target: TargetOf<'stun'>; connected: string | null; bytes: number }

export type WhereaboutsOptions = {
  /** PEYK_VANTAGE: for labs and for people who know. Nobody is asked then. */
  fixed: { country: string; asn: number } | null
  locate: Locate | null
  /** STUN servers on the loopback may be asked (lab and tests). */
  loopback: boolean
  line?: FindLine
}

const UNKNOWN = { country: 'ZZ', asn: 0 }
const LAB: ReadonlySet<Family> = new Set(['v4', 'v6'])
/** Seconds a STUN server has to answer. */
const PATIENCE = 4

/**
 * Where this agent is. STUN servers of the signed catalogue tell the public address; it is looked up in databases on this
 * machine and forgotten, and never leaves this file. Where nobody answers, as in a shutdown, what was found last holds for as
 * long as the machine stays on its network; where two answers lie in two places (a tunnel for some, a liar) it is unknown.
 */
export class Whereabouts {
  private readonly options: WhereaboutsOptions
  private readonly line: FindLine
  private place: { country: string; asn: number }
  private name: string | null = null
  private router: string | null = null
  private moves = 0
  known: Known

  constructor(options: WhereaboutsOptions) {
    this.options = options
    this.line = options.line ?? lineNow
    this.place = options.fixed ?? UNKNOWN
    this.known = options.fixed ? 'set' : 'unknown'
  }

  /** Whether asking is of use. */
  get asks(): boolean {
    return this.options.fixed === null && this.options.locate !== null
  }

  /** Where the machine is now, as far as known: cheap, asked around every measurement. */
  async now(): Promise<Here> {
    const { name, router, access, families } = await this.line()
    const elsewhere = this.name !== name || (router && this.router && router !== this.router)
    if (elsewhere && this.asks) Object.assign(this, { place: UNKNOWN, known: 'unknown' })
    if (elsewhere) this.moves++
    this.name = name
    this.router = router ?? this.router
    return { ...this.place, access, line: this.moves, families: this.options.loopback ? LAB : families }
  }

  /** Asks these servers. `moved`: what was found last is not true any more, and what was measured since may not be either. */
  async find(servers: readonly TargetOf<'stun'>[], signal: AbortSignal): Promise<{ asked: Asked[]; moved: boolean }> {
    const before = { place: this.place, known: this.known, line: this.moves }
    const { line } = await this.now()
    const answers = await Promise.all(servers.map(target => this.ask(target, signal)))
    const after = await this.now()
    const asked = answers.map(({ place: _, ...one }) => one)
    const places = answers.flatMap(({ place }) => place ?? [])
    if (after.line === line) this.settle(places)
    const sure = before.known === 'found' || before.known === 'remembered'
    return {
      asked,
      moved: after.line !== before.line || (sure && places.length > 0 && !same(before.place, this.place)),
    }
  }

  /**
   * The Peyk server saw this machine under this address, on a connection by no proxy. It counts where no STUN server answers,
   * as on lines that let no UDP through, and until one does: the server hears nothing of it that it did not know.
   */
  async told(address: string): Promise<void> {
    await this.now()
    const open = this.asks && (this.known === 'unknown' || this.known === 'told')
    const place = open ? this.placeOf(address) : null
    if (place && !same(place, UNKNOWN)) Object.assign(this, { place, known: 'told' })
  }

  private placeOf(address: string): { country: string; asn: number } | null {
    const { locate } = this.options
    return locate && mayConnect(address, 'public')
      ? { country: locate.country(address), asn: locate.asn(address) }
      : null
  }

  private settle(places: readonly { country: string; asn: number }[]): void {
    const [first] = places
    if (!first) {
      if (this.known === 'found') this.known = 'remembered'
      return
    }
    const agree = places.every(place => same(place, first))
    this.place = agree ? first : UNKNOWN
    this.known = !agree ? 'differs' : first.country === UNKNOWN.country && first.asn === 0 ? 'unknown' : 'found'
  }

  private async ask(
    target: TargetOf<'stun'>,
    signal: AbortSignal,
  ): Promise<Asked & { place: { country: string; asn: number } | null }> {
    const { loopback } = this.options
    const trace = new Trace({ ...target, timeout: Math.min(target.timeout, PATIENCE) }, { signal, loopback })
    const net = openNet(trace)
    let seen: string | null = null
    try {
      const address = await net.resolve(target.host)
      if (address !== null) {
        seen = await net.datagram('datagram', address, target.port, (peer, note) => {
          const id = randomBytes(12)
          return askUntilAnswered(peer, binding(id), note, answer => mappedAddress(answer, id))
        })
      }
    } finally {
      await trace.close()
    }
    const run = trace.run()
    return {
      ...{ target, connected: run.connected, bytes: wireBytes(run) },
      place: seen === null ? null : this.placeOf(seen),
    }
  }
}

const same = (a: { country: string; asn: number }, b: { country: string; asn: number }): boolean =>
  a.country === b.country && a.asn === b.asn
