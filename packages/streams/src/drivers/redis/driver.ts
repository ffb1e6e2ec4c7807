import { streamKey } from '@millrace/contracts'
import { defineScript, type Redis, type RedisConnection } from '@millrace/redis'
import {
  type AppendResult,
  BEGINNING,
  type FrameToAppend,
  type GroupMirror,
  type PartitionDescription,
  type Position,
  type StoredFrame,
  type StreamDriver,
  type StreamMemory,
  type StreamReader,
  type TrimRequest,
} from '../../driver/stream-driver.js'
import { streamErrors } from '../../errors.js'
import { ServerAppender } from './append.js'
import { type RawEntry, toFrames } from './entries.js'
import { RedisGroupMirror } from './group-mirror.js'
import { PollingReader } from './polling-reader.js'
import { comparePositions, positionBeforeMs, safeStart } from './position.js'
import { BlockingReader } from './reader.js'

/** Times and limits of the Redis driver. */
export interface RedisDriverConfig {
  /** An append without an answer after this long counts as ambiguous, in ms. Default 1,000. */
  readonly appendTimeoutMs?: number
  /**
   * Replicas that must confirm a frame (WAIT) before it counts as held. Default 0: a failover may lose the last acknowledged frames.
   */
  readonly minReplicas?: number
  /** Longest wait for the replicas, in ms. Default 500. */
  readonly replicaTimeoutMs?: number
  /** Memory limit in bytes. Default: the server's maxmemory; the smaller of both applies. */
  readonly memoryCeilingBytes?: number
}

/** Frames that one script removes. The server answers nobody else meanwhile: about 5 ms for frames of 10 KB. */
const TRIM_STEP_FRAMES = 1024

const describeScript = defineScript('describe', new URL('../../../lua/describe.lua', import.meta.url))
const trimScript = defineScript('trim', new URL('../../../lua/trim.lua', import.meta.url))

/** Streams in Redis: one key a partition, one entry a frame. The connection decides between a single server, Sentinel and Cluster. */
export class RedisDriver implements StreamDriver {
  readonly name = 'redis'
  readonly assignment = 'leases'
  readonly comparePositions = comparePositions
  readonly safeStart = safeStart
  readonly #config: RedisDriverConfig
  readonly #redis: RedisConnection
  readonly #mirror: RedisGroupMirror
  /** One appender a stream; in a Cluster one a partition. */
  readonly #appenders = new Map<string, ServerAppender>()
  readonly #readers = new Set<StreamReader>()

  constructor(config: RedisDriverConfig, redis: RedisConnection) {
    this.#config = config
    this.#redis = redis
    this.#mirror = new RedisGroupMirror(redis.client)
  }

  async prepare(): Promise<void> {}

  async append(stream: string, frames: readonly FrameToAppend[]): Promise<AppendResult[]> {
    if (this.#redis.mode !== 'cluster') return await this.#appender(stream, '').append(frames)
    const results = await Promise.all(
      frames.map((frame) => this.#appender(stream, String(frame.partition)).append([frame])),
    )
    return results.flat()
  }

  async openReader(stream: string): Promise<StreamReader> {
    const keyOf = (partition: number) => streamKey(stream, partition)
    const isCluster = this.#redis.mode === 'cluster'
    // Waits for the connection: a replay reads at once and does not retry.
    const own = await this.#guard('opening a reader', () =>
      this.#redis.duplicate({ name: `${this.#redis.name}-reader`, blocking: !isCluster, isLazy: false }),
    )
    const closed = () => this.#readers.delete(reader)
    const reader: StreamReader = isCluster
      ? new PollingReader({ connection: own, keyOf, closed })
      : new BlockingReader({ blocking: own, control: this.#redis, keyOf, closed })
    this.#readers.add(reader)
    return reader
  }

  describe(stream: string, partitions: readonly number[]): Promise<PartitionDescription[]> {
    return this.#guard('describing the stream', () =>
      Promise.all(partitions.map((partition) => this.#describeOne(stream, partition))),
    )
  }

  tail(stream: string, partition: number, frames: number): Promise<StoredFrame[]> {
    return this.#guard('reading the newest frames', async () => {
      const entries = await this.#redis.client.xrevrangeBuffer(streamKey(stream, partition), '+', '-', 'COUNT', frames)
      return toFrames(partition, entries as RawEntry[])
    })
  }

  async positionAt(_stream: string, _partition: number, timeMs: number): Promise<Position> {
    return positionBeforeMs(timeMs)
  }

  trim(stream: string, partition: number, { before, framesMax, newest }: TrimRequest): Promise<number> {
    return this.#guard('trimming the stream', async () => {
      if (before === BEGINNING) return 0
      const key = streamKey(stream, partition)
      if (framesMax === undefined && newest === undefined)
        return await this.#redis.client.xtrim(key, 'MINID', '~', before)
      let left = Math.floor(framesMax ?? Number.MAX_SAFE_INTEGER)
      let removed = 0
      for (let step = 0; left > 0; left -= step) {
        step = Math.min(left, TRIM_STEP_FRAMES)
        const now = Number(await trimScript.run(this.#redis.client, [key], [before, step, newest ?? '']))
        removed += now
        if (now < step) break
      }
      return removed
    })
  }

  mirrorGroup(stream: string, group: string, positions: readonly GroupMirror[]): Promise<void> {
    return this.#guard('copying group positions', async () => {
      await Promise.all(positions.map((mirror) => this.#mirror.set(streamKey(stream, mirror.partition), group, mirror)))
    })
  }

  /** In a Cluster: the memory of the fullest primary. */
  memory(): Promise<StreamMemory> {
    return this.#guard('reading the memory usage', async () => {
      const { client } = this.#redis
      const infos =
        'nodes' in client ? await Promise.all(client.nodes('master').map(memoryInfo)) : [await memoryInfo(client)]
      const figures = infos.map((info) => this.#toMemory(info))
      return figures.reduce((fullest, next) => (share(next) > share(fullest) ? next : fullest))
    })
  }

  async close(): Promise<void> {
    for (const reader of [...this.#readers]) await reader.close()
  }

  #appender(stream: string, server: string): ServerAppender {
    const id = `${stream}/${server}`
    let appender = this.#appenders.get(id)
    if (appender === undefined) {
      appender = new ServerAppender(this.#redis.client, {
        keyOf: (partition) => streamKey(stream, partition),
        timeoutMs: this.#config.appendTimeoutMs ?? 1000,
        minReplicas: this.#config.minReplicas ?? 0,
        replicaTimeoutMs: this.#config.replicaTimeoutMs ?? 500,
      })
      this.#appenders.set(id, appender)
    }
    return appender
  }

  async #describeOne(stream: string, partition: number): Promise<PartitionDescription> {
    const reply = await describeScript.run(this.#redis.client, [streamKey(stream, partition)], [])
    const [first, last, frames, framesEver] = reply as [string, string, number, number]
    return { partition, first, last, frames, framesEver: framesEver < 0 ? undefined : framesEver }
  }

  #toMemory(info: string): StreamMemory {
    const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
    const ceilings = [field('maxmemory'), this.#config.memoryCeilingBytes ?? 0].filter((bytes) => bytes > 0)
    // Redis does not count replica buffers towards maxmemory.
    const usedBytes = field('used_memory') - field('mem_not_counted_for_evict')
    return { usedBytes, ceilingBytes: ceilings.length > 0 ? Math.min(...ceilings) : undefined }
  }

  async #guard<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      throw streamErrors.STREAM_UNAVAILABLE({ message: `${action}: ${(cause as Error).message}`, cause })
    }
  }
}

/** The caller closes the connection, after the driver. Readers open connections of their own. */
export function createRedisDriver(config: RedisDriverConfig, deps: { readonly redis: RedisConnection }): StreamDriver {
  return new RedisDriver(config, deps.redis)
}

function memoryInfo(client: Redis): Promise<string> {
  return client.info('memory')
}

function share({ usedBytes, ceilingBytes }: StreamMemory): number {
  return ceilingBytes === undefined ? 0 : usedBytes / ceilingBytes
}
