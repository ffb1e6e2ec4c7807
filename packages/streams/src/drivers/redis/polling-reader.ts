import type { RedisConnection } from '@millrace/redis'
import type { Position, ReadLimits, StoredFrame, StreamReader } from '../../driver/stream-driver.js'
import { streamErrors } from '../../errors.js'
import type { RawRead } from './entries.js'
import { ReadCursor } from './read-cursor.js'

interface PollingReaderDeps {
  /** The reader's own connection, so that large replies do not delay appends. Closed with the reader. */
  readonly connection: RedisConnection
  readonly keyOf: (partition: number) => string
  readonly closed: () => void
}

const PAUSE_FIRST_MS = 1
const PAUSE_LAST_MS = 20

/**
 * Reads by XREAD without BLOCK, one command a partition, and pauses for 1 to 20 ms while there are no frames. For a Cluster, where a blocking read
 * can wait for one slot only, so that it would need a connection a partition.
 */
export class PollingReader implements StreamReader {
  readonly #deps: PollingReaderDeps
  readonly #cursor = new ReadCursor()
  #wakeUp: (() => void) | undefined
  #isWoken = false

  constructor(deps: PollingReaderDeps) {
    this.#deps = deps
  }

  seek(partition: number, after: Position): void {
    this.#cursor.seek(partition, after)
    this.wake()
  }

  remove(partition: number): void {
    this.#cursor.remove(partition)
    this.wake()
  }

  async read(limits: ReadLimits): Promise<StoredFrame[]> {
    const endsAt = performance.now() + limits.blockMs
    let pauseMs = PAUSE_FIRST_MS
    this.#isWoken = false
    for (;;) {
      const frames = await this.#readAll(limits)
      const leftMs = endsAt - performance.now()
      if (frames.length > 0 || leftMs <= 0 || this.#isWoken) return frames
      await this.#pause(Math.min(pauseMs, leftMs))
      pauseMs = Math.min(PAUSE_LAST_MS, pauseMs * 2)
    }
  }

  wake(): void {
    this.#isWoken = true
    this.#wakeUp?.()
  }

  async close(): Promise<void> {
    for (const partition of this.#cursor.partitions) this.#cursor.remove(partition)
    this.wake()
    await this.#deps.connection.close()
    this.#deps.closed()
  }

  /** Partitions whose node answers are read even if another node does not answer. Throws when no frame was read and a node failed. */
  async #readAll(limits: ReadLimits): Promise<StoredFrame[]> {
    const count = this.#cursor.count(limits)
    const results = await Promise.allSettled(
      this.#cursor.partitions.map((partition) => this.#readOne(partition, count)),
    )
    const frames = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined && frames.length === 0) {
      const cause = failed.reason as Error
      throw streamErrors.STREAM_UNAVAILABLE({ message: `reading the stream: ${cause.message}`, cause })
    }
    return frames
  }

  async #readOne(partition: number, count: number): Promise<StoredFrame[]> {
    const after = this.#cursor.idOf(partition)
    const { client } = this.#deps.connection
    const read = (await client.xreadBuffer('COUNT', count, 'STREAMS', this.#deps.keyOf(partition), after)) as RawRead
    return (read ?? []).flatMap(([, entries]) => this.#cursor.take(partition, after, entries))
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#wakeUp = undefined
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.#wakeUp = done
    })
  }
}
