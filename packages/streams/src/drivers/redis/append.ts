import type { Cluster, Redis } from '@millrace/redis'
import type { AppendResult, FrameToAppend } from '../../driver/stream-driver.js'

/** How frames are appended to Redis. */
export interface AppendConfig {
  readonly keyOf: (partition: number) => string
  /** Longest wait for an answer, in ms; the connection's own limit may be longer. */
  readonly timeoutMs: number
  /** Replicas that must confirm a frame before it counts as held. */
  readonly minReplicas: number
  /** Longest wait for the replicas, in ms. */
  readonly replicaTimeoutMs: number
}

type Reply = [error: Error | null, result: unknown]

/**
 * Appends frames to one server: an XADD for each in one write, followed by one WAIT if replicas must confirm. In a Cluster each partition has an
 * appender of its own, since a pipeline must not span slots.
 *
 * With WAIT it uses ioredis' pipeline, which fails as a whole when its connection breaks. Otherwise the WAIT could be sent on the next connection, to
 * a primary that never had the frames. Without WAIT it uses no pipeline: ioredis defines a getter on each, V8 creates a hidden class for it, and that
 * keeps the pipeline with its frames in memory until a full garbage collection.
 */
export class ServerAppender {
  readonly #config: AppendConfig
  readonly #client: Redis | Cluster
  /** The replicas did not confirm last time. Nothing is written until they do: each retry would add another copy of the frame. */
  #isBehind = false

  constructor(client: Redis | Cluster, config: AppendConfig) {
    this.#client = client
    this.#config = config
  }

  async append(frames: readonly FrameToAppend[]): Promise<AppendResult[]> {
    const { minReplicas, timeoutMs } = this.#config
    try {
      if (this.#isBehind && !(await this.#hasReplicas(frames[0] as FrameToAppend))) {
        return frames.map(() => ({ kind: 'unavailable', isAmbiguous: false, cause: tooFewReplicas(minReplicas) }))
      }
      const replies = (await within(timeoutMs, this.#send(frames))) ?? []
      if (minReplicas > 0) this.#isBehind = !isReplicated(replies.at(-1), minReplicas)
      return frames.map((_, index) => this.#toResult(replies[index]))
    } catch (error) {
      return frames.map(() => toFailure(error as Error))
    }
  }

  #send(frames: readonly FrameToAppend[]): Promise<Reply[] | null> {
    const client = this.#client
    const { minReplicas, replicaTimeoutMs, keyOf } = this.#config
    if (minReplicas > 0) {
      const pipeline = client.pipeline()
      for (const { partition, frame } of frames) pipeline.xadd(keyOf(partition), '*', 'f', frame)
      return pipeline.wait(minReplicas, replicaTimeoutMs).exec()
    }
    return inOneWrite(client, () =>
      Promise.all(frames.map(({ partition, frame }) => toReply(client.xadd(keyOf(partition), '*', 'f', frame)))),
    )
  }

  #toResult(reply: Reply | undefined): AppendResult {
    if (reply === undefined) return toFailure(new Error('redis did not answer'))
    const [error, id] = reply
    if (error) return toFailure(error)
    if (this.#isBehind)
      return { kind: 'unavailable', isAmbiguous: true, cause: tooFewReplicas(this.#config.minReplicas) }
    return { kind: 'held', position: String(id) }
  }

  /** Sends only WAIT to the server of the frame; the EXISTS routes the pipeline to it. */
  async #hasReplicas({ partition }: FrameToAppend): Promise<boolean> {
    const { minReplicas, replicaTimeoutMs, timeoutMs, keyOf } = this.#config
    const pipeline = this.#client.pipeline().exists(keyOf(partition)).wait(minReplicas, replicaTimeoutMs)
    const replies = ((await within(timeoutMs, pipeline.exec())) ?? []) as Reply[]
    return isReplicated(replies[1], minReplicas)
  }
}

/** Commands that `send` sends to one server go out in one write. */
function inOneWrite<T>(client: Redis | Cluster, send: () => T): T {
  // Undefined before the first connection.
  const stream: Redis['stream'] | undefined = 'nodes' in client ? undefined : client.stream
  stream?.cork()
  try {
    return send()
  } finally {
    stream?.uncork()
  }
}

function toReply(answer: Promise<unknown>): Promise<Reply> {
  return answer.then(
    (result) => [null, result],
    (error: Error) => [error, undefined],
  )
}

function isReplicated(reply: Reply | undefined, minReplicas: number): boolean {
  return reply !== undefined && reply[0] === null && Number(reply[1]) >= minReplicas
}

function tooFewReplicas(minReplicas: number): Error {
  return new Error(`fewer than ${minReplicas} replicas confirmed the write in time`)
}

function toFailure(error: Error): AppendResult {
  if (error.message.startsWith('OOM')) return { kind: 'full', cause: error }
  // An error reply means that the server refused the command; the message means that the client never sent it.
  const wasRefused = error.name === 'ReplyError' || error.message.includes("isn't writeable")
  return { kind: 'unavailable', isAmbiguous: !wasRefused, cause: error }
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`redis did not answer in ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
