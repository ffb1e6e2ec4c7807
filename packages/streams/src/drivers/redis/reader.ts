import type { Redis, RedisConnection } from '@millrace/redis'
import type { Position, ReadLimits, StoredFrame, StreamReader } from '../../driver/stream-driver.js'
import { streamErrors } from '../../errors.js'
import type { RawRead } from './entries.js'
import { ReadCursor } from './read-cursor.js'

interface ReaderDeps {
  /** The reader's own connection: a blocking command delays all commands behind it. Closed with the reader. */
  readonly blocking: RedisConnection
  /** Shared; sends CLIENT UNBLOCK to end the wait of the other connection. */
  readonly control: RedisConnection
  readonly keyOf: (partition: number) => string
  readonly closed: () => void
}

const UNBLOCK_EVERY_MS = 20
/** A blocking connection that answers nothing for longer counts as dead (packages/redis). The caller then reads again. */
const BLOCK_MS_MAX = 5_000

/** Reads all partitions by one XREAD BLOCK on a connection of its own. For a single server or Sentinel. */
export class BlockingReader implements StreamReader {
  readonly #deps: ReaderDeps
  readonly #cursor = new ReadCursor()
  /** The connection's id on the server; read again after a reconnection. */
  #connectionId: Promise<number> | undefined
  #isReading = false
  #isWaking = false

  constructor(deps: ReaderDeps) {
    this.#deps = deps
    deps.blocking.client.on('close', () => (this.#connectionId = undefined))
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
    const partitions = this.#cursor.partitions
    const client = this.#deps.blocking.client as Redis
    if (partitions.length === 0) return []
    const keys = partitions.map(this.#deps.keyOf)
    const ids = partitions.map((partition) => this.#cursor.idOf(partition))
    const count = this.#cursor.count(limits)
    this.#isReading = true
    try {
      this.#connectionId ??= this.#readConnectionId(client)
      // BLOCK 0 would wait without a limit.
      const read = (await (limits.blockMs > 0
        ? client.xreadBuffer(
            'COUNT',
            count,
            'BLOCK',
            Math.min(Math.ceil(limits.blockMs), BLOCK_MS_MAX),
            'STREAMS',
            ...keys,
            ...ids,
          )
        : client.xreadBuffer('COUNT', count, 'STREAMS', ...keys, ...ids))) as RawRead
      return (read ?? []).flatMap(([key, entries]) => {
        const index = keys.indexOf(key.toString())
        return this.#cursor.take(partitions[index] as number, ids[index] as string, entries)
      })
    } catch (cause) {
      if ((cause as Error).message.startsWith('UNBLOCKED')) return []
      throw streamErrors.STREAM_UNAVAILABLE({ message: `reading the stream: ${(cause as Error).message}`, cause })
    } finally {
      this.#isReading = false
    }
  }

  wake(): void {
    if (this.#isReading && !this.#isWaking) void this.#unblock()
  }

  async close(): Promise<void> {
    for (const partition of this.#cursor.partitions) this.#cursor.remove(partition)
    await this.#deps.blocking.close()
    this.#deps.closed()
  }

  #readConnectionId(client: Redis): Promise<number> {
    const id = client.client('ID')
    id.catch(() => (this.#connectionId = undefined))
    return id
  }

  /** Repeats until the read has ended, because the read may not have reached the server yet. */
  async #unblock(): Promise<void> {
    this.#isWaking = true
    try {
      while (this.#isReading) {
        const id = await this.#connectionId
        if (id === undefined || !this.#isReading) return
        if ((await (this.#deps.control.client as Redis).client('UNBLOCK', id)) === 1) return
        await new Promise((resolve) => setTimeout(resolve, UNBLOCK_EVERY_MS))
      }
    } catch {
      // The connection is lost, which ends the read.
    } finally {
      this.#isWaking = false
    }
  }
}
