import { setTimeout as sleep } from 'node:timers/promises'
import type { Position, ReadLimits, StoredFrame, StreamReader } from '../../driver/stream-driver.js'
import { streamErrors } from '../../errors.js'
import type { FetchedPartition, KafkaFetcher, PartitionOffsets } from './kafka-client.js'
import { type ReadCursor, ReadCursors } from './read-cursors.js'

interface ReaderDeps {
  readonly topic: string
  /** Opens a set of connections. */
  readonly openFetcher: () => Promise<KafkaFetcher>
  readonly offsets: (partition: number) => Promise<PartitionOffsets>
  readonly closed: () => void
}

/** How long a broker waits for frames before it answers without any, in ms. */
const POLL_MS_MAX = 500
/** About how many bytes one answer of one broker holds at most, and the answers of all brokers on one lane together. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024
const ANSWERS_BYTES_MAX = 12 * 1024 * 1024
/** While a reader holds this many bytes of frames that its caller has not taken, it asks for no more: its memory does not grow with the number of partitions. */
const HELD_BYTES_MAX = 8 * 1024 * 1024
/** Longest wait for the brokers of a read that may not wait for frames, in ms. */
const ASK_MS_MAX = 5_000
/** How long such a read waits for some brokers when others have answered, in ms. */
const LATE_MS = 250
/** Pause after an answer that says that the leader has moved, in ms: an election takes a moment. */
const MOVED_PAUSE_MS = 50
/** Shortest time between two questions whether a partition without a leader has one again, in ms. */
const LEADERLESS_MS = 250

/** One set of connections with the brokers that have a request under way on it. */
interface Lane {
  /** Opened with the first use, and again after a failure. */
  fetcher(): Promise<KafkaFetcher>
  close(): Promise<void>
  readonly busy: Set<number>
}

/** What a broker is asked for. */
interface Ask {
  readonly limits: ReadLimits
  readonly answerBytesMax: number
  readonly maxWaitMs: number
}

/**
 * Reads partitions from their leaders. Two lanes of connections: on one the brokers wait for frames (a broker handles the requests of a connection
 * one after another), on the other they answer at once, which `blockMs: 0` and new partitions need. A partition is asked for again only when its
 * frames have been returned.
 */
export class KafkaReader implements StreamReader {
  readonly #deps: ReaderDeps
  readonly #cursors = new ReadCursors()
  readonly #waiting: Lane
  #prompt: Lane | undefined
  #failure: Error | undefined
  /** When the brokers were last asked about partitions without a leader, by performance.now. */
  #leadersAskedAtMs = Number.NEGATIVE_INFINITY
  #isWoken = false
  #isClosed = false
  #signal: (() => void) | undefined

  constructor(deps: ReaderDeps) {
    this.#deps = deps
    this.#waiting = createLane(deps)
  }

  seek(partition: number, after: Position): void {
    this.#cursors.seek(partition, after)
    this.wake()
  }

  remove(partition: number): void {
    this.#cursors.remove(partition)
    this.wake()
  }

  async read(limits: ReadLimits): Promise<StoredFrame[]> {
    const endsAt = performance.now() + limits.blockMs
    this.#isWoken = false
    if (this.#cursors.size === 0) return []
    const frames = this.#cursors.take(limits)
    if (frames.length > 0) return this.#returned(frames, limits)
    return limits.blockMs > 0 ? await this.#wait(limits, endsAt) : await this.#askAtOnce(limits)
  }

  wake(): void {
    this.#isWoken = true
    this.#signal?.()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cursors.clear()
    this.wake()
    for (const lane of [this.#waiting, this.#prompt]) await lane?.close()
    this.#deps.closed()
  }

  async #wait(limits: ReadLimits, endsAt: number): Promise<StoredFrame[]> {
    for (;;) {
      const frames = this.#cursors.take(limits)
      if (frames.length > 0) return this.#returned(frames, limits)
      this.#throwFailure()
      const leftMs = endsAt - performance.now()
      if (leftMs <= 0 || this.#isWoken) return []
      const signal = this.#nextSignal(leftMs)
      void this.#poll(limits, Math.min(POLL_MS_MAX, Math.ceil(leftMs)))
      await signal
    }
  }

  /** Returns nothing only after every leader has said that it has nothing, or after some have and the others are late: a broker that hangs must not hold up the partitions of others. */
  async #askAtOnce(limits: ReadLimits): Promise<StoredFrame[]> {
    const since = performance.now()
    for (;;) {
      const frames = this.#cursors.take(limits)
      if (frames.length > 0) return this.#returned(frames, limits)
      this.#throwFailure()
      const unanswered = this.#cursors.empty().filter(({ askedAtMs }) => askedAtMs < since)
      if (this.#isWoken || unanswered.length === 0) return []
      const waitedMs = performance.now() - since
      if (unanswered.length < this.#cursors.size && waitedMs >= LATE_MS) return []
      if (waitedMs > ASK_MS_MAX) this.#fail(new Error('a broker has not answered'))
      const signal = this.#nextSignal(waitedMs < LATE_MS ? LATE_MS - waitedMs : POLL_MS_MAX)
      void this.#ask(unanswered, limits).then((leaderless) => this.#failWithoutLeader(leaderless))
      await signal
    }
  }

  /**
   * Frames that are left in the stream arrive while the caller works. All leaders are asked, also while frames of some are still here: otherwise a
   * caller that always finds frames of one leader would never see those of another.
   */
  #returned(frames: StoredFrame[], limits: ReadLimits): StoredFrame[] {
    if (this.#cursors.heldBytes >= HELD_BYTES_MAX) return frames
    const empty = this.#cursors.empty()
    if (empty.some(({ isBehind }) => isBehind)) void this.#ask(empty, limits)
    else if (empty.length > 0 && empty.length < this.#cursors.size) void this.#poll(limits, POLL_MS_MAX)
    return frames
  }

  /** Lets each leader wait for frames. A leader that is waiting already is asked at once about partitions that are new. */
  async #poll(limits: ReadLimits, maxWaitMs: number): Promise<void> {
    const open = this.#cursors.empty().filter(({ isPolled, isPrompted }) => !isPolled && !isPrompted)
    const isBusy = this.#waiting.busy
    const fresh: ReadCursor[] = []
    const leaderless = await this.#forLeaders(open, (node, own, answerBytesMax) => {
      if (isBusy.has(node)) fresh.push(...own.filter(({ askedAtMs }) => askedAtMs === 0))
      else void this.#fetch(this.#waiting, node, own, { limits, answerBytesMax, maxWaitMs })
    })
    if (fresh.length > 0) await this.#ask(fresh, limits)
    // While others have leaders, their frames are waited for.
    if (leaderless.length === this.#cursors.size) this.#failWithoutLeader(leaderless)
  }

  /** Asks the leaders for frames that they have, except those that are being asked. Returns the partitions without a leader. */
  async #ask(cursors: readonly ReadCursor[], limits: ReadLimits): Promise<number[]> {
    this.#prompt ??= createLane(this.#deps)
    const lane = this.#prompt
    const open = cursors.filter(({ isPrompted }) => !isPrompted)
    return await this.#forLeaders(open, (node, own, answerBytesMax) => {
      if (!lane.busy.has(node)) void this.#fetch(lane, node, own, { limits, answerBytesMax, maxWaitMs: 0 })
    })
  }

  /** Calls `call` for each leader. Returns the partitions that have none; they do not hold up the others. Never rejects. */
  async #forLeaders(
    cursors: readonly ReadCursor[],
    call: (node: number, own: ReadCursor[], answerBytesMax: number) => void,
  ): Promise<number[]> {
    if (cursors.length === 0) return []
    const leaderless: number[] = []
    try {
      const leaders = await (await this.#waiting.fetcher()).leaders(this.#deps.topic)
      const byNode = new Map<number, ReadCursor[]>()
      for (const cursor of cursors) {
        const node = leaders.get(cursor.partition)
        if (node === undefined) leaderless.push(cursor.partition)
        else byNode.set(node, [...(byNode.get(node) ?? []), cursor])
      }
      const share = ANSWERS_BYTES_MAX / Math.max(1, new Set(leaders.values()).size)
      for (const [node, own] of byNode) call(node, own, Math.min(ANSWER_BYTES_MAX, Math.ceil(share)))
      if (leaderless.length > 0) await this.#lookForLeaders()
    } catch (error) {
      await this.#refresh()
      this.#fail(error)
    }
    return leaderless
  }

  async #fetch(
    lane: Lane,
    node: number,
    cursors: readonly ReadCursor[],
    { limits, answerBytesMax, maxWaitMs }: Ask,
  ): Promise<void> {
    const mark = lane === this.#waiting ? 'isPolled' : 'isPrompted'
    for (const cursor of cursors) cursor[mark] = true
    lane.busy.add(node)
    const bytesMax = Math.max(1, Math.min(answerBytesMax, limits.bytesMax))
    const requests = cursors.map(({ partition, next }) => ({ partition, offset: next, bytesMax }))
    const askedAtMs = performance.now()
    try {
      const fetcher = await lane.fetcher()
      const answers = await fetcher.fetch(node, this.#deps.topic, requests, { maxWaitMs, bytesMax })
      const taken = answers.map((answer, index) => {
        const { offset } = requests[index] as { readonly offset: number }
        return this.#take(cursors[index] as ReadCursor, { offset, askedAtMs }, answer)
      })
      await Promise.all(taken)
    } catch (error) {
      await this.#refresh()
      // An error of partitions that are no longer read, or are read from elsewhere, is nobody's concern.
      if (cursors.some((cursor) => this.#cursors.isCurrent(cursor))) this.#fail(error)
    } finally {
      lane.busy.delete(node)
      for (const cursor of cursors) cursor[mark] = false
      this.#signal?.()
    }
  }

  async #take(
    cursor: ReadCursor,
    { offset, askedAtMs }: { readonly offset: number; readonly askedAtMs: number },
    answer: FetchedPartition,
  ): Promise<void> {
    switch (answer.kind) {
      case 'messages':
        this.#cursors.keep(cursor, offset, { ...answer, askedAtMs })
        return
      case 'moved':
        await this.#refresh()
        await sleep(MOVED_PAUSE_MS)
        return
      case 'out_of_range':
        await this.#moveIntoRange(cursor, offset)
        return
      case 'failed':
        if (this.#cursors.isCurrent(cursor)) this.#fail(answer.cause)
    }
  }

  /** Messages that were trimmed are passed over. A partition that ends before the offset has lost messages or was created again. */
  async #moveIntoRange(cursor: ReadCursor, offset: number): Promise<void> {
    const { earliest, latest } = await this.#deps.offsets(cursor.partition)
    if (offset > latest)
      throw new Error(`partition ${cursor.partition} ends at offset ${latest}, before the offset ${offset} to read`)
    if (offset >= earliest) {
      // The broker that was asked and the leader disagree.
      await this.#refresh()
      await sleep(MOVED_PAUSE_MS)
    } else if (cursor.next === offset) cursor.next = earliest
  }

  async #lookForLeaders(): Promise<void> {
    if (performance.now() - this.#leadersAskedAtMs < LEADERLESS_MS) return
    this.#leadersAskedAtMs = performance.now()
    await this.#refresh()
    this.#signal?.()
  }

  #failWithoutLeader(leaderless: readonly number[]): void {
    if (leaderless.length > 0) this.#fail(new Error(`partition ${leaderless.join(', ')} has no leader`))
  }

  async #refresh(): Promise<void> {
    if (this.#isClosed) return
    const refresh = async (lane: Lane) => await (await lane.fetcher()).refresh(this.#deps.topic)
    await Promise.allSettled([this.#waiting, this.#prompt].filter((lane) => lane !== undefined).map(refresh))
  }

  #fail(error: unknown): void {
    this.#failure ??= error as Error
    this.#signal?.()
  }

  #throwFailure(): void {
    const cause = this.#failure
    if (cause === undefined) return
    this.#failure = undefined
    if (!this.#isClosed)
      throw streamErrors.STREAM_UNAVAILABLE({ message: `reading the stream: ${cause.message}`, cause })
  }

  #nextSignal(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.#signal = undefined
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.#signal = done
    })
  }
}

function createLane({ openFetcher }: ReaderDeps): Lane {
  let opened: Promise<KafkaFetcher> | undefined
  let isClosed = false
  return {
    async fetcher() {
      if (isClosed) throw new Error('the reader is closed')
      opened ??= openFetcher()
      try {
        return await opened
      } catch (error) {
        opened = undefined
        throw error
      }
    },
    async close() {
      isClosed = true
      const fetcher = await opened?.catch(() => undefined)
      await fetcher?.close()
    },
    busy: new Set(),
  }
}
