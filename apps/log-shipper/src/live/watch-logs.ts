import { coreErrors, type WatchLogsRequest, type WatchLogsResponse } from '@millrace/contracts'
import { type CallContext, tenantOf } from '@millrace/service'
import {
  BEGINNING,
  decodeFrame,
  type Position,
  type StoredFrame,
  type StreamDriver,
  type StreamReader,
} from '@millrace/streams'
import { readLogFrame } from '../append/log-frame.js'
import { openBatch } from '../batch/log-batch.js'
import { compileRequest } from '../query/compile-request.js'
import { createLineWriter } from '../query/line-fields.js'
import type { CompiledQuery } from '../search/compiled-query.js'
import { findMatches } from '../search/find-matches.js'
import { rowsOfBatch } from '../search/log-rows.js'
import { decodePositions, encodePositions } from './stream-positions.js'

export interface WatchLogsConfig {
  readonly stream: string
  readonly partitions: number
  /** Watchers of this process at most: each reads the whole stream. */
  readonly watchersMax: number
  /** Matching lines that wait for a slow reader; older ones are dropped and counted. */
  readonly waitingMax?: number
}

/** A watcher without matching lines gets its position in the stream after this time, in ms, so that it need not start over when it reconnects. */
const POSITION_MS = 10_000
const READ = { framesMax: 256, bytesMax: 8 * 1024 * 1024, blockMs: 1000 }
const WAITING_MAX = 2000
const WAITING_LENGTH_MAX = 8 * 1024 * 1024

/**
 * Shows lines as they arrive. A watcher reads the stream itself, so it sees the lines that all processes receive, and can continue from a position in the
 * stream as long as the stream holds it.
 */
export function createWatchLogs(config: WatchLogsConfig, { driver }: { readonly driver: StreamDriver }) {
  let watchers = 0
  return async function* watchLogs(
    { conditions, fields, position }: WatchLogsRequest,
    call: Pick<CallContext, 'tenant' | 'signal'>,
  ): AsyncGenerator<WatchLogsResponse, void, undefined> {
    const tenantId = tenantOf(call)
    if (conditions === undefined) throw coreErrors.INVALID_REQUEST({ message: 'the conditions are missing' })
    const query = compileRequest(conditions)
    const after = position === '' ? new Map<number, Position>() : decodePositions(position)
    if (watchers >= config.watchersMax)
      throw coreErrors.DEPENDENCY_UNAVAILABLE({
        message: 'this process has its maximum number of watchers of log lines',
        retryAfterSeconds: 10,
      })
    watchers++
    const watcher = new LogWatcher({ tenantId, query, fields, waitingMax: config.waitingMax ?? WAITING_MAX })
    let reader: StreamReader | undefined
    try {
      reader = await driver.openReader(config.stream)
      await watcher.start(reader, { ...config, after, driver })
      yield* watcher.run(reader, call.signal)
    } finally {
      watchers--
      await reader?.close()
    }
  }
}

interface Watched {
  readonly tenantId: number
  readonly query: CompiledQuery
  readonly fields: readonly string[]
  readonly waitingMax: number
}

/** The lines that match one watcher's query and wait until it takes them. */
class LogWatcher {
  readonly #watched: Watched
  readonly #write: ReturnType<typeof createLineWriter>
  readonly #positions = new Map<number, Position>()
  /** The last frame of each producer and partition: the stream may hold a frame twice. */
  readonly #sequences = new Map<string, number>()
  #waiting: string[] = []
  #length = 0
  #dropped = 0
  #hasGap = false
  #wake: () => void = () => undefined

  constructor(watched: Watched) {
    this.#watched = watched
    this.#write = createLineWriter(watched.fields)
  }

  /** Begins after the given positions; partitions without one begin at their ends. */
  async start(
    reader: StreamReader,
    {
      stream,
      partitions,
      after,
      driver,
    }: WatchLogsConfig & { readonly after: ReadonlyMap<number, Position>; readonly driver: StreamDriver },
  ): Promise<void> {
    const all = Array.from({ length: partitions }, (_, partition) => partition)
    for (const { partition, first, last } of await driver.describe(stream, all)) {
      const asked = after.get(partition)
      // Frames before the first one may have been read and removed; whether there were any cannot be known.
      if (asked !== undefined && asked !== last && (first === BEGINNING || driver.comparePositions(first, asked) > 0))
        this.#hasGap = true
      const from = asked ?? last
      this.#positions.set(partition, from)
      reader.seek(partition, from)
    }
  }

  /** Yields the matching lines that have arrived since the last response. It waits while there are none. */
  async *run(reader: StreamReader, signal: AbortSignal): AsyncGenerator<WatchLogsResponse, void, undefined> {
    let failure: { readonly error: unknown } | undefined
    let isEnded = false
    const onAbort = () => {
      isEnded = true
      reader.wake()
      this.#wake()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const reading = (async () => {
      try {
        while (!isEnded) for (const frame of await reader.read(READ)) this.#take(frame)
      } catch (error) {
        failure = { error }
        this.#wake()
      }
    })()
    try {
      yield this.#next()
      while (!isEnded && !signal.aborted) {
        if (this.#waiting.length === 0 && this.#dropped === 0) await this.#arrival()
        if (failure !== undefined) throw failure.error
        if (signal.aborted) return
        yield this.#next()
      }
    } finally {
      isEnded = true
      signal.removeEventListener('abort', onAbort)
      reader.wake()
      await reading
    }
  }

  async #arrival(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, POSITION_MS)
      this.#wake = resolve
    })
    clearTimeout(timer)
  }

  #next(): WatchLogsResponse {
    const response = {
      linesJson: this.#waiting,
      dropped: BigInt(this.#dropped),
      hasGap: this.#hasGap,
      position: encodePositions(this.#positions),
    }
    this.#waiting = []
    this.#length = 0
    this.#dropped = 0
    this.#hasGap = false
    return response
  }

  #take({ partition, position, bytes }: StoredFrame): void {
    this.#positions.set(partition, position)
    const { header, payload } = decodeFrame(bytes)
    const producer = `${partition} ${header.producer}`
    if (header.sequence <= (this.#sequences.get(producer) ?? 0)) return
    this.#sequences.set(producer, header.sequence)
    const { tenantId, query, waitingMax } = this.#watched
    let hasMore = false
    for (const batch of readLogFrame(payload, header.records).batches) {
      if (batch.tenantId !== tenantId) continue
      if (query.services.length > 0 && !query.services.includes(batch.service)) continue
      // The number of a line in its partition is only known once it is stored, so these lines have no id.
      const rows = rowsOfBatch(openBatch(batch.bytes), { service: batch.service, partition, firstOrdinal: 0 })
      for (const index of findMatches(rows, query)) {
        const text = this.#write(rows.row(index), { id: undefined })
        this.#waiting.push(text)
        this.#length += text.length
        hasMore = true
      }
    }
    while (this.#waiting.length > waitingMax || (this.#length > WAITING_LENGTH_MAX && this.#waiting.length > 1)) {
      this.#length -= this.#waiting.shift()?.length ?? 0
      this.#dropped++
    }
    if (hasMore) this.#wake()
  }
}
