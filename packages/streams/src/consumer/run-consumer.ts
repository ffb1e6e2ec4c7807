import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMillraceError, MINUTE_MS } from '@millrace/contracts'
import { computeRetryDelayMs } from '@millrace/resilience'
import { streamErrors } from '../errors.js'
import { completeSettings } from './complete-settings.js'
import type { ConsumerContext } from './consumer-context.js'
import { ConsumerSession } from './consumer-session.js'
import type { Consumer, ConsumerConfig, ConsumerDeps, ConsumerState } from './consumer-types.js'
import type { SqlTransaction } from './database-port.js'
import { GroupTable } from './group-table.js'
import { Maintenance } from './maintenance.js'
import { BrokerAssignment, LeaseAssignment, type PartitionAssignment } from './partition-assignment.js'

/** Longest time that a member stands by before it tries its share again, in ms. */
const STAND_BY_MS_MAX = 600_000

/** A life of the state this long proves that faults before it are over, in ms. */
const HEALTHY_AFTER_MS = MINUTE_MS

/**
 * Consumes a stream for one group: takes its share of the partitions, hands frames that the group has not seen to the handler, and commits their
 * effects and the positions in one transaction. Any number of members may run; effects are made exactly once whichever of them is killed.
 * Resolves at once; what is not there yet is waited for.
 */
export async function runConsumer<Prepared, Tx extends SqlTransaction>(
  config: ConsumerConfig<Prepared, Tx>,
  deps: ConsumerDeps,
): Promise<Consumer> {
  const consumer = new RunningConsumer(config, deps)
  consumer.start()
  return consumer
}

class RunningConsumer<Prepared, Tx extends SqlTransaction> implements Consumer {
  readonly #context: ConsumerContext<Prepared, Tx>
  readonly #maintenance: Maintenance<Prepared, Tx>
  readonly #random: () => number
  readonly #stopping = new AbortController()
  readonly #timers: NodeJS.Timeout[] = []
  #assignment: PartitionAssignment | undefined
  #session: ConsumerSession<Prepared, Tx> | undefined
  #running: Promise<void> | undefined
  #heartbeatUnderWay: Promise<void> | undefined
  #maintenanceUnderWay: Promise<void> | undefined
  #failures = 0
  #blockedReason: string | undefined
  #blockedSinceMs = 0
  /** Standing by, it is no member: it sends no heartbeats and has no share. */
  #isStandingBy = false
  #standBys = 0
  #isHung = false
  #stopped: Promise<void> | undefined

  constructor(config: ConsumerConfig<Prepared, Tx>, deps: ConsumerDeps) {
    const { stream, group, database } = config
    const settings = completeSettings(config.settings)
    const member = `${config.member}#${randomUUID().slice(0, 8)}`
    this.#random = deps.random ?? Math.random
    this.#context = {
      config,
      settings,
      member,
      table: new GroupTable(database, { group, stream, member, leaseMs: settings.leaseMs }),
      logger: deps.logger.child({ stream, group, member }),
      metrics: deps.metrics?.of(stream, group),
      tracer: deps.tracer?.isOn === true ? deps.tracer : undefined,
      onCommitted: deps.onCommitted,
      now: deps.monotonicMs ?? (() => performance.now()),
    }
    this.#maintenance = new Maintenance(this.#context)
  }

  start(): void {
    const { settings } = this.#context
    this.#running = this.#run()
    // A failed heartbeat shows in the session soon enough: its own connection is lost then, too.
    this.#timers.push(setInterval(() => void this.#heartbeat().catch(() => undefined), settings.heartbeatMs))
    this.#timers.push(setInterval(() => this.#maintain(), settings.mirrorMs))
  }

  state(): ConsumerState {
    const states = [...(this.#session?.states.values() ?? [])]
    return {
      member: this.#context.member,
      partitions: states.map(({ partition }) => partition).sort((a, b) => a - b),
      blockedReason: this.#blockedReason,
      lagRecords: new Map(states.map(({ partition, lagRecords }) => [partition, lagRecords])),
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    this.#session?.stop()
    for (const timer of this.#timers) clearInterval(timer)
    await this.#running
    await this.#heartbeatUnderWay?.catch(() => undefined)
    await this.#maintenanceUnderWay
    await this.#assignment?.close()
    await this.#context.table.leave().catch((error: unknown) => {
      this.#context.logger.warn('partitions could not be given back and come free when their leases end', { error })
    })
    this.#context.metrics?.leasesHeld.set(0)
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const startedAtMs = this.#context.now()
      try {
        await this.#runSession()
      } catch (error) {
        if (this.#context.now() - startedAtMs > HEALTHY_AFTER_MS) this.#failures = 0
        await this.#handleFailure(error)
      }
    }
  }

  /** One life of the state, see ConsumerSession. */
  async #runSession(): Promise<void> {
    const assignment = this.#assignment ?? (await this.#join())
    this.#assignment = assignment
    await this.#heartbeat()
    const { config, settings, member } = this.#context
    const connection = await config.database.connection({ applicationName: `millrace ${config.group} ${member}` })
    try {
      // A process that is stopped inside a transaction would keep its locks, and whoever takes over would wait for them.
      await connection.query(`set idle_in_transaction_session_timeout = ${Math.ceil(settings.leaseMs)}`)
      const reader = await assignment.openReader()
      try {
        this.#session = new ConsumerSession(this.#context, {
          connection,
          reader,
          assignment,
          heartbeat: () => this.#heartbeat(),
          onCommit: () => this.#noteCommit(),
        })
        if (this.#stopping.signal.aborted) return
        await this.#session.run()
      } finally {
        this.#session = undefined
        await assignment.closeReader(reader)
      }
    } finally {
      await connection.close().catch(() => undefined)
    }
  }

  async #join(): Promise<PartitionAssignment> {
    const { config, settings, table, member } = this.#context
    const { driver, stream, group } = config
    await table.ensurePartitions(settings.partitions)
    await driver.prepare(stream, settings.partitions)
    if (driver.assignment === 'leases') return new LeaseAssignment(driver, stream, table, settings.partitions)
    return await BrokerAssignment.join(driver, { stream, group, member }, table, () => this.#session?.wake())
  }

  /** Heartbeats never overlap: whoever comes while one is under way gets the next. */
  async #heartbeat(): Promise<void> {
    if (this.#isStandingBy) return
    await this.#heartbeatUnderWay?.catch(() => undefined)
    this.#heartbeatUnderWay ??= this.#sendHeartbeat().finally(() => {
      this.#heartbeatUnderWay = undefined
    })
    await this.#heartbeatUnderWay
  }

  async #sendHeartbeat(): Promise<void> {
    const { table, settings, now, logger } = this.#context
    const session = this.#session
    const isHung = session !== undefined && session.busyMs > settings.hungAfterMs
    if (isHung !== this.#isHung && isHung)
      logger.error('the handler does not come back and its leases are not renewed', { busyMs: session.busyMs })
    this.#isHung = isHung
    if (isHung) return
    const asked = session?.epochs ?? new Map<number, number>()
    const sentAtMs = now()
    const heartbeat = await table.heartbeat(idleTimes(session))
    this.#assignment?.setLiveMembers(heartbeat.liveMembers)
    if (session === this.#session) session?.onHeartbeat(heartbeat, asked, sentAtMs)
  }

  #maintain(): void {
    const session = this.#session
    if (session === undefined || this.#maintenanceUnderWay !== undefined) return
    this.#maintenanceUnderWay = this.#maintenance.run(new Map(session.states)).finally(() => {
      this.#maintenanceUnderWay = undefined
    })
  }

  #noteCommit(): void {
    this.#failures = 0
    this.#standBys = 0
    if (this.#blockedReason === undefined) return
    this.#blockedReason = undefined
    this.#context.metrics?.blockedPartitions.set(0)
    this.#context.logger.info('partitions are no longer blocked')
    void this.#context.table.showBlocked(null).catch(() => undefined)
  }

  async #handleFailure(error: unknown): Promise<void> {
    const { logger, metrics, settings } = this.#context
    if (this.#stopping.signal.aborted) return
    if (streamErrors.LEASE_LOST.matches(error) || isFenced(error)) {
      logger.warn('another member has taken over a partition; the state is thrown away', { error })
      return await this.#pause(settings.retryFirstMs)
    }
    this.#failures++
    metrics?.retries.inc()
    if (this.#failures <= settings.retryAttempts) {
      logger.warn('a batch failed and is tried again', { error, failures: this.#failures })
      const retry = { firstDelayMs: settings.retryFirstMs, delayMsMax: settings.retryCapMs }
      return await this.#pause(computeRetryDelayMs(this.#failures, retry, this.#random))
    }
    await this.#block(error)
    if (await this.#canOthersContinue()) await this.#standBy()
    else await this.#pause(settings.retryCapMs)
  }

  /** A fault that meets every member is nobody's; one that meets this member alone is its own, and others get on without it. */
  async #canOthersContinue(): Promise<boolean> {
    const { settings, table, config, now } = this.#context
    if (config.driver.assignment !== 'leases' || now() - this.#blockedSinceMs < settings.leaveAfterMs) return false
    return await table.isOtherMemberWorking().catch(() => false)
  }

  /** Leaves the group, each time twice as long, and comes back to see whether the fault is gone. */
  async #standBy(): Promise<void> {
    const { settings, table, logger } = this.#context
    const forMs = Math.min(STAND_BY_MS_MAX, settings.leaveAfterMs * 2 ** ++this.#standBys)
    this.#isStandingBy = true
    try {
      await this.#heartbeatUnderWay?.catch(() => undefined)
      // If it fails, the leases run out.
      await table.leave().catch(() => undefined)
      logger.error('this member alone keeps failing and leaves its partitions to the others for a while', { forMs })
      await this.#pause(forMs)
    } finally {
      this.#isStandingBy = false
      // Others may have stored everything meanwhile, so that no commit would come to clear it; the next failure sets it again.
      this.#blockedReason = undefined
      this.#context.metrics?.blockedPartitions.set(0)
    }
  }

  /** Nothing is skipped: the partitions stand still, visibly, until the fault is gone. */
  async #block(error: unknown): Promise<void> {
    const { logger, metrics, table, settings } = this.#context
    const reason = error instanceof Error ? error.message : String(error)
    if (this.#blockedReason === undefined) {
      logger.error('batches keep failing and partitions are blocked', { error })
      if (this.#standBys === 0) this.#blockedSinceMs = this.#context.now()
    }
    this.#blockedReason = reason
    metrics?.blockedPartitions.set(settings.partitions)
    await table.showBlocked(reason.slice(0, 500)).catch(() => undefined)
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }
}

/** When each partition that is committed to its end was last seen so. */
function idleTimes<Prepared, Tx extends SqlTransaction>(
  session: ConsumerSession<Prepared, Tx> | undefined,
): Map<number, number> {
  const times = new Map<number, number>()
  for (const { partition, endSeenAtMs } of session?.states.values() ?? [])
    if (endSeenAtMs !== undefined) times.set(partition, endSeenAtMs)
  return times
}

function isFenced(error: unknown): boolean {
  return isMillraceError(error) && error.code === 'DATABASE_FENCED'
}
