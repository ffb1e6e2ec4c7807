import type { LogSink } from '../../records/log-sink.js'

/** Cuts what a connection receives into messages. */
export interface Framer<Message> {
  /** The messages that are complete now. */
  push(chunk: Buffer): Message[]
  /** The messages that are left when the connection ends. */
  end(): Message[]
}

/** A wire of messages without answers, over TCP and UDP. Each has a folder below sources. */
export interface SocketWire<Message extends { readonly bytes: Buffer }> {
  /** The name of its folder; a label of metrics. */
  readonly name: string
  /** Called for each connection. */
  readonly createFramer: () => Framer<Message>
  /**
   * Called once for the socket of datagrams. Returns what takes each datagram: the message that is complete with it, or undefined. `onDropped` is for
   * messages that will never be complete.
   */
  readonly createDatagramReader: (
    onDropped: (messages: number) => void,
  ) => (datagram: Buffer, peer: string) => Message | undefined
  /** Gives messages their verdicts. `peer` is the address of their sender. */
  readonly addMessage: (
    message: Message,
    peer: string,
    into: { readonly sink: LogSink; readonly receivedAtMs: number; readonly index: number },
  ) => void
}

/** Adds messages of one sender in their order. */
export function addMessages<Message extends { readonly bytes: Buffer }>(
  wire: SocketWire<Message>,
  messages: readonly { readonly peer: string; readonly message: Message }[],
  { sink, receivedAtMs }: { readonly sink: LogSink; readonly receivedAtMs: number },
): void {
  for (const [index, { message, peer }] of messages.entries())
    wire.addMessage(message, peer.replace(/^::ffff:/, ''), { sink, receivedAtMs, index })
}
