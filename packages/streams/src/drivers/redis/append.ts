import type { Cluster, Redis } from '@millrace/redis'
import type { AppendResult, FrameToAppend } from '../../driver/stream-driver.js'

export interface AppendConfig {
  readonly keyOf: (partition: number) => string
  /** Ends a wait for an answer; the connection's own limit may be longer. */
  readonly timeoutMs: number
  /** Replicas that must have a frame before it counts as held. */
  readonly minReplicas: number
  /** How long they may take. */
  readonly replicaTimeoutMs: number
}

type Reply = [error: Error | null, result: unknown]

/**
 * Sends frames of one server: XADD for each in one write, and where replicas are asked for one WAIT behind them. In a Cluster every partition is a
 * server of its own to us, since a pipeline may not leave its slot.
 *
 * With WAIT it is ioredis' pipeline, which fails as a whole when its connection breaks. Commands by themselves are sent again on the next connection: a
 * WAIT alone would be answered by another primary that never had the frames. Without WAIT it is no pipeline: each one defines a getter of its own,
 * V8 makes a hidden class for it, and those keep the pipeline with its frames until the next full collection, which were two a second.
 */
export class ServerAppender {
  readonly #config: AppendConfig
  readonly #client: Redis | Cluster
  /** Replicas did not follow last time: nothing is written before they do, or each new try would add another copy of the frame. */
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

  /** WAIT alone, on the frames' own server: the EXISTS is there to lead the pipeline to it. */
  async #hasReplicas({ partition }: FrameToAppend): Promise<boolean> {
    const { minReplicas, replicaTimeoutMs, timeoutMs, keyOf } = this.#config
    const pipeline = this.#client.pipeline().exists(keyOf(partition)).wait(minReplicas, replicaTimeoutMs)
    const replies = ((await within(timeoutMs, pipeline.exec())) ?? []) as Reply[]
    return isReplicated(replies[1], minReplicas)
  }
}

/** What is sent to one server goes out as one write. */
function inOneWrite<T>(client: Redis | Cluster, send: () => T): T {
  // Before the first connection there is none.
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
  // An error reply says that the command was refused; the client says by this message that it never sent it.
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
