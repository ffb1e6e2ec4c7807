import type { StreamReader } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import { BatchCollector } from './batch-collector.js'
import { commitStatement } from './commit-statement.js'
import type { ConsumerContext } from './consumer-context.js'
import type { CommittedNotice } from './consumer-types.js'
import type { SqlConnection, SqlTransaction } from './database-port.js'
import type { Heartbeat, TakenPartition } from './group-table.js'
import { type LoadedPartition, loadPartitions } from './load-partitions.js'
import type { PartitionAssignment } from './partition-assignment.js'
import type { PartitionCommit, PartitionState } from './partition-state.js'
import { replayFrames } from './replay-frames.js'
import { RetryingReader } from './retrying-reader.js'
import type { ReadCounts, WatchedSession } from './stall-detector.js'
import type { AssignedPartition, FlushedPositions, NewFrame } from './stream-handler.js'
import { traceBatch } from './trace-batch.js'
import { WaitingPartitions } from './waiting-partitions.js'

interface SessionDeps<Tx extends SqlTransaction> {
  readonly connection: SqlConnection<Tx>
  readonly reader: StreamReader
  readonly assignment: PartitionAssignment
  /** Renews the leases now; the result comes through `onHeartbeat`. */
  readonly heartbeat: () => Promise<void>
  readonly onCommit: () => void
  /** Called when everything is committed and the partitions are about to be released, because the consumer stops. Must not reject. */
  readonly onStopping: () => Promise<void>
}

/**
 * One session: it begins without state and ends with the first failed transaction, lost lease or lost connection. The next batch is read and
 * prepared while the transaction of the previous batch is committing; there is one transaction at a time.
 */
export class ConsumerSession<Prepared, Tx extends SqlTransaction> implements WatchedSession {
  readonly #context: ConsumerContext<Prepared, Tx>
  readonly #deps: SessionDeps<Tx>
  readonly #reader: RetryingReader<Prepared, Tx>
  readonly #collector: BatchCollector<Prepared, Tx>
  readonly states = new Map<number, PartitionState>()
  readonly #waiting: WaitingPartitions<Prepared, Tx>
  #isStopping = false
  #failure: Error | undefined
  #committing: Promise<void> | undefined
  #leaseUntilMs = Number.POSITIVE_INFINITY
  #lastCommitAtMs: number
  /** Calls of the handler that have not returned, with their start. */
  readonly #calls = new Set<{ readonly sinceMs: number }>()

  constructor(context: ConsumerContext<Prepared, Tx>, deps: SessionDeps<Tx>) {
    this.#context = context
    this.#deps = deps
    this.#waiting = new WaitingPartitions(context, () => deps.reader.wake())
    this.#reader = new RetryingReader(context, deps.reader, this.states)
    this.#collector = new BatchCollector(context, {
      reader: this.#reader,
      states: this.states,
      mustReturn: () => this.#isStopping || this.#failure !== undefined || this.#isRebalanceDue,
      committing: () => this.#committing,
    })
    this.#lastCommitAtMs = context.now()
  }

  /** Runs until `stop`. @throws the error that ended the session. All partitions are revoked in either case. */
  async run(): Promise<void> {
    try {
      while (!this.#isStopping) {
        if (this.#failure) throw this.#failure
        if (this.#isRebalanceDue) await this.#rebalance()
        await this.#processNext()
      }
      await this.#waitForCommit()
      this.#context.config.handler.stopping?.()
      await this.#flush()
      await this.#deps.onStopping()
    } finally {
      await this.#committing?.catch(() => undefined)
      const held = [...this.states.keys()]
      for (const partition of held) this.#reader.remove(partition)
      this.#reader.close()
      this.#waiting.close()
      this.states.clear()
      if (held.length > 0) this.#context.config.handler.revoked(held)
    }
  }

  stop(): void {
    this.#isStopping = true
    this.#deps.reader.wake()
  }

  /** Ends the session with this error, also while a read does not end. */
  abort(error: Error): void {
    this.#fail(error)
    this.#reader.abort(error)
  }

  get reads(): ReadCounts {
    return this.#reader.reads
  }

  /** Ends a waiting read, because the assignment has changed. */
  wake(): void {
    this.#deps.reader.wake()
  }

  /** How long the longest running call of the handler takes, in ms. */
  get busyMs(): number {
    return Math.max(0, ...[...this.#calls].map(({ sinceMs }) => this.#context.now() - sinceMs))
  }

  get epochs(): Map<number, number> {
    const read = [...this.states].map(([partition, { epoch }]) => [partition, epoch] as const)
    return new Map([...read, ...this.#waiting.epochs])
  }

  /** `heldEpochs`: the epochs that were held when the heartbeat was sent, at `sentAtMs`. */
  onHeartbeat({ renewed }: Heartbeat, heldEpochs: ReadonlyMap<number, number>, sentAtMs: number): void {
    this.#leaseUntilMs = sentAtMs + this.#context.settings.leaseMs
    const epochs = this.epochs
    for (const [partition, epoch] of heldEpochs) {
      if (epochs.get(partition) === epoch && renewed.get(partition) !== epoch)
        this.#fail(streamErrors.LEASE_LOST({ details: { partition } }))
    }
    if (this.#isRebalanceDue) this.#deps.reader.wake()
  }

  get #isRebalanceDue(): boolean {
    return this.#waiting.isDue || this.#deps.assignment.isDue(this.#held)
  }

  get #held(): Set<number> {
    const held = new Set(this.states.keys())
    for (const [partition] of this.#waiting.epochs) held.add(partition)
    return held
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#deps.reader.wake()
  }

  async #rebalance(): Promise<void> {
    await this.#waitForCommit()
    const { assignment } = this.#deps
    const surplus = assignment.surplus(this.#held)
    if (surplus.length > 0) await this.#release(surplus)
    const sentAtMs = this.#context.now()
    const taken = await assignment.take(this.#held)
    if (taken.length > 0) this.#leaseUntilMs = Math.min(this.#leaseUntilMs, sentAtMs + this.#context.settings.leaseMs)
    const gained = await this.#load([...this.#waiting.takeDue(), ...taken])
    this.#context.metrics?.leasesHeld.set(this.#held.size)
    if (surplus.length + gained > 0) {
      this.#context.logger.info('the partitions of this member have changed', {
        held: [...this.states.keys()],
        gained,
        released: surplus.length,
      })
    }
  }

  async #release(partitions: readonly number[]): Promise<void> {
    const { table, config, metrics } = this.#context
    for (const partition of partitions) {
      this.#reader.remove(partition)
      this.#waiting.delete(partition)
      metrics?.forget(partition)
    }
    const assigned = partitions.filter((partition) => this.states.delete(partition))
    if (assigned.length > 0) config.handler.revoked(assigned)
    await table.release(partitions)
  }

  /** Begins to read the partitions that can be described, and returns how many those are; the others wait. */
  async #load(taken: readonly TakenPartition[]): Promise<number> {
    if (taken.length === 0) return 0
    // Without this a member would give up all its partitions, because one that it has taken in addition has no leader.
    const mayWait = this.#held.size > 0
    try {
      const loaded = await loadPartitions(this.#context, taken).catch((error: unknown) => {
        if (mayWait && streamErrors.STREAM_UNAVAILABLE.matches(error)) return []
        throw error
      })
      this.#waiting.add(taken.filter(({ partition }) => !loaded.some(({ state }) => state.partition === partition)))
      if (loaded.length > 0) await this.#assign(loaded)
      return loaded.length
    } catch (error) {
      await this.#context.table.release(taken.map(({ partition }) => partition)).catch(() => undefined)
      throw error
    }
  }

  async #assign(ready: readonly LoadedPartition[]): Promise<void> {
    const { driver, stream, handler } = this.#context.config
    const assigned = ready.map(({ taken }): AssignedPartition => taken)
    const byNumber = new Map(assigned.map((partition) => [partition.partition, partition]))
    const replay = (partition: number) => {
      const found = byNumber.get(partition)
      if (found === undefined) throw new RangeError(`partition ${partition} is not being assigned`)
      return replayFrames(driver, stream, found)
    }
    try {
      await handler.assigned(assigned, { replay })
    } catch (error) {
      handler.revoked([...byNumber.keys()])
      throw error
    }
    for (const { state } of ready) {
      this.states.set(state.partition, state)
      this.#deps.reader.seek(state.partition, driver.safeStart(state.position))
    }
  }

  /** Renews leases that may have expired by the local clock before work continues, as after a suspended process; PostgreSQL decides. */
  async #ensureLease(): Promise<void> {
    const { now, settings } = this.#context
    if (now() > this.#leaseUntilMs - settings.leaseMs / 10) await this.#deps.heartbeat()
    if (this.#failure) throw this.#failure
  }

  /** A method of its own: a variable of the loop would keep the payloads of a batch in memory until the next batch is read. */
  async #processNext(): Promise<void> {
    const frames = await this.#collector.collect()
    await this.#ensureLease()
    if (frames.length > 0) await this.#process(frames)
    else await this.#commitIdle()
  }

  async #process(frames: readonly NewFrame[]): Promise<void> {
    const records = frames.reduce((sum, { header }) => sum + header.records, 0)
    const commits = this.#takeCommits()
    const prepared = await this.#callHandler(async () => this.#context.config.handler.prepare({ frames, records }))
    await this.#waitForCommit()
    const commit = () => this.#commit(commits, (tx) => this.#apply(prepared, tx))
    const committing = traceBatch(this.#context, { frames, records }, commit).then(() => {
      this.#context.metrics?.committedFrames.inc(frames.length)
      this.#context.metrics?.committedRecords.inc(records)
      this.#context.config.handler.committed?.(prepared)
    })
    this.#committing = committing
      .catch((error: Error) => this.#fail(error))
      .finally(() => {
        this.#committing = undefined
      })
  }

  /** Without new frames: commits positions that moved over repeated frames, and lets the handler flush. */
  async #commitIdle(): Promise<void> {
    await this.#waitForCommit()
    const isTime = this.#context.now() - this.#lastCommitAtMs >= this.#context.settings.idleCommitMs
    if (isTime && (await this.#flush())) return
    const commits = this.#takeCommits()
    if (commits.length > 0) await this.#commit(commits, async () => 'none')
  }

  /** Commits an empty batch if the handler wants one; returns whether it did. */
  async #flush(): Promise<boolean> {
    const { handler } = this.#context.config
    if (this.states.size === 0 || !handler.wantsCommit?.()) return false
    const changed = this.#takeCommits()
    const rest = [...this.states.values()].filter(
      ({ partition }) => !changed.some((commit) => commit.partition === partition),
    )
    const prepared = await this.#callHandler(async () => handler.prepare({ frames: [], records: 0 }))
    await this.#commit([...changed, ...rest.map((state) => state.repeatCommit())], (tx) => this.#apply(prepared, tx))
    handler.committed?.(prepared)
    return true
  }

  #takeCommits(): PartitionCommit[] {
    return [...this.states.values()].filter((state) => state.isChanged).map((state) => state.takeCommit())
  }

  /** A handler that returns nothing has flushed the whole batch. */
  #apply(prepared: Prepared, tx: Tx): Promise<FlushedPositions | 'all'> {
    return this.#callHandler(async () => (await this.#context.config.handler.apply(prepared, tx)) ?? 'all')
  }

  async #commit(
    commits: readonly PartitionCommit[],
    work: (tx: Tx) => Promise<FlushedPositions | 'all' | 'none'>,
  ): Promise<void> {
    const { config, settings, member, metrics, now } = this.#context
    const startedAtMs = now()
    let all = commits
    try {
      await this.#deps.connection.transaction(async (tx) => {
        const flushed = await work(tx)
        if (typeof flushed !== 'string') all = [...commits, ...this.#flushedOutsideBatch(commits, flushed)]
        tx.atCommit(
          commitStatement(
            { group: config.group, stream: config.stream, member, leaseMs: settings.leaseMs },
            all,
            flushed,
          ),
        )
      })
    } catch (error) {
      metrics?.batchFailed.observe((now() - startedAtMs) / 1000)
      throw error
    }
    metrics?.batchCommitted.observe((now() - startedAtMs) / 1000)
    this.#lastCommitAtMs = now()
    for (const commit of all) this.states.get(commit.partition)?.committed(commit)
    this.#deps.onCommit()
    this.#notify(all)
  }

  /** Commits of partitions that the handler flushed although the batch has no frames of them. */
  #flushedOutsideBatch(commits: readonly PartitionCommit[], flushed: FlushedPositions): PartitionCommit[] {
    const inBatch = new Set(commits.map(({ partition }) => partition))
    return [...flushed.keys()].flatMap((partition) => {
      const state = this.states.get(partition)
      return inBatch.has(partition) || state === undefined ? [] : [state.repeatCommit()]
    })
  }

  #notify(commits: readonly PartitionCommit[]): void {
    const notices = commits.flatMap(({ partition, producers }): CommittedNotice[] => {
      if (producers.length === 0) return []
      const sequences = Object.fromEntries(producers.map(({ producer, sequence }) => [producer, sequence]))
      return [{ stream: this.#context.config.stream, partition, producers: sequences }]
    })
    if (notices.length > 0) this.#context.onCommitted?.(notices)
  }

  async #waitForCommit(): Promise<void> {
    await this.#committing
    if (this.#failure) throw this.#failure
  }

  async #callHandler<T>(call: () => Promise<T>): Promise<T> {
    const own = { sinceMs: this.#context.now() }
    this.#calls.add(own)
    try {
      return await call()
    } finally {
      this.#calls.delete(own)
    }
  }
}
