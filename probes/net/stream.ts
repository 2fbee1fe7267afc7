import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Failed } from './classify.ts'
import type { Closable, Meter } from './trace.ts'

/** What is read at most for one answer of a protocol; larger asks are a peer's lie. */
const MAX_READ = 1 << 20

/**
 * A connected byte stream: TCP, or TLS on it. Reads are by number of bytes and leave the rest in the socket, so that
 * another layer (TLS, HTTP) can take the stream over.
 */
export class Stream implements Closable {
  /** The TCP socket, whose bytes are counted: TLS records and proxies' words included. */
  readonly tcp: Socket
  /** The innermost layer: what is written here reaches the peer. */
  socket: Socket | TLSSocket
  readonly closed: Promise<void>
  private error: Error | undefined
  private heard: Socket | undefined
  private wake = (): void => {}

  constructor(tcp: Socket) {
    this.tcp = tcp
    this.socket = tcp
    this.closed = new Promise(resolve => tcp.once('close', () => resolve()))
    this.watch(tcp)
  }

  readonly meter: Meter = () => ({ sent: this.tcp.bytesWritten ?? 0, received: this.tcp.bytesRead ?? 0 })

  /** Put a TLS layer on top; the caller has begun its handshake. */
  wrap(tls: TLSSocket): void {
    this.socket = tls
    this.watch(tls)
  }

  /** The socket, for a library that reads it from now on; what was read here is gone from it, the rest is there. */
  take(): Socket | TLSSocket {
    this.socket.removeAllListeners('readable')
    this.heard = undefined
    return this.socket
  }

  destroy(): void {
    this.socket.destroy()
    this.tcp.destroy()
  }

  write(bytes: Uint8Array): void {
    this.throwIfBroken()
    this.socket.write(bytes)
  }

  /** Exactly `length` bytes. Ends with `eof_error` where the peer closes before. */
  async read(length: number): Promise<Buffer> {
    if (length === 0) return Buffer.alloc(0)
    if (length > MAX_READ) throw new Failed('eof_error')
    for (;;) {
      const bytes = this.socket.read(length) as Buffer | null
      if (bytes?.length === length) return bytes
      // A shorter piece is the rest of a stream that has ended.
      if (bytes !== null || this.socket.readableEnded) throw this.error ?? new Failed('eof_error')
      await this.more()
    }
  }

  /** At least one byte, at most what has arrived. Null where the peer has closed. */
  async readSome(): Promise<Buffer | null> {
    for (;;) {
      const bytes = this.socket.read() as Buffer | null
      if (bytes !== null) return bytes
      if (this.error) throw this.error
      if (this.socket.readableEnded) return null
      await this.more()
    }
  }

  private async more(): Promise<void> {
    this.throwIfBroken()
    await new Promise<void>(resolve => {
      this.wake = resolve
      this.listen()
    })
  }

  /** Once per socket: listening anew while bytes wait would announce the same bytes for ever. */
  private listen(): void {
    const { socket } = this
    if (this.heard === socket) return
    this.heard = socket
    for (const event of ['readable', 'end', 'error', 'close'] as const) socket.on(event, () => this.wake())
  }

  private throwIfBroken(): void {
    if (this.error) throw this.error
    if (this.socket.destroyed) throw new Failed('eof_error')
  }

  /** An error may come between two operations: it is kept for the next one. */
  private watch(socket: Socket): void {
    socket.on('error', error => {
      this.error ??= error
    })
  }
}

/** Wait for an event of a socket: `done` when it comes, `closed` where the socket closes without it; its error is thrown. */
export const firstEvent = (socket: Socket, event: 'connect' | 'secureConnect'): Promise<'done' | 'closed'> =>
  new Promise((resolve, reject) => {
    const listeners = {
      [event]: () => end(() => resolve('done')),
      error: (error: Error) => end(() => reject(error)),
      close: () => end(() => resolve('closed')),
    }
    const end = (settle: () => void): void => {
      for (const [name, listener] of Object.entries(listeners)) socket.off(name, listener)
      settle()
    }
    for (const [name, listener] of Object.entries(listeners)) socket.on(name, listener)
  })
