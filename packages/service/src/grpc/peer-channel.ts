import { type ChannelCredentials, Client, type ClientOptions, status as grpcStatus, Metadata } from '@grpc/grpc-js'

/** Address and options of a peer. */
export interface PeerAddress {
  readonly address: string
  readonly credentials: ChannelCredentials
  readonly messageBytesMax: number
}

/**
 * A call on a dead connection fails after at most the sum of these times, in ms, and the next one uses a new connection. They are above the pauses of
 * a busy process (garbage collection, a large answer) and cost one small packet.
 */
const KEEPALIVE_MS = 3_000
const KEEPALIVE_ANSWER_MS = 5_000

/**
 * The connection to a peer. grpc-js replaces a connection that breaks, but has no time limit for the handshake of HTTP/2: a peer that accepts the
 * connection and then says nothing would block all calls forever, also after it has recovered. `renew` begins anew.
 */
export class PeerChannel {
  readonly #peer: PeerAddress
  #client: Client

  constructor(peer: PeerAddress) {
    this.#peer = peer
    this.#client = this.#open()
  }

  get client(): Client {
    return this.#client
  }

  /** Later calls use a new connection. Calls in progress go on; calls that wait for the old connection fail. */
  renew(): void {
    this.#client.close()
    this.#client = this.#open()
  }

  /** Resolves when the peer answers on a new connection, with any status. */
  async probe(limitMs: number): Promise<void> {
    const client = this.#open()
    try {
      await askHealth(client, limitMs)
    } finally {
      client.close()
    }
  }

  close(): void {
    this.#client.close()
  }

  #open(): Client {
    const { address, credentials, messageBytesMax } = this.#peer
    const options: ClientOptions = {
      'grpc.max_receive_message_length': messageBytesMax,
      'grpc.max_send_message_length': messageBytesMax,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_ANSWER_MS,
      // Clients of one address share a connection by default, so that a new client would get the dead one.
      'grpc.use_local_subchannel_pool': 1,
    }
    return new Client(address, credentials, options)
  }
}

/** grpc.health.v1 with an empty name: the server as a whole. */
function askHealth(client: Client, limitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      () => Buffer.alloc(0),
      () => undefined,
      undefined,
      new Metadata({ waitForReady: true }),
      { deadline: Date.now() + limitMs },
      (error) => {
        const isSilent = error?.code === grpcStatus.UNAVAILABLE || error?.code === grpcStatus.DEADLINE_EXCEEDED
        if (isSilent) reject(error)
        else resolve()
      },
    )
  })
}
