import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMillraceError, MINUTE_MS } from '@millrace/contracts'
import { computeRetryDelayMs } from '@millrace/resilience'
import { streamErrors } from '../errors.js'
import { CLOSE_MS, closeInTime } from './close-in-time.js'
import { completeSettings } from './complete-settings.js'
import type { ConsumerContext } from './consumer-context.js'
import { ConsumerSession } from './consumer-session.js'
import type { Consumer, ConsumerConfig, ConsumerDeps, ConsumerState } from './consumer-types.js'
import type { SqlTransaction } from './database-port.js'
import { GroupTable } from './group-table.js'
import { Maintenance } from './maintenance.js'
import { BrokerAssignment, LeaseAssignment, type PartitionAssignment } from './partition-assignment.js'
import { Watchdog } from './watchdog.js'

/** Default time limit of a stop, in ms. */
const STOP_MS = 20_000

/** Longest time that a member stays out of the group before it tries again, in ms. */
const STAND_BY_MS_MAX = 600_000

/** After a session of this length earlier failures no longer count, in ms. */
const HEALTHY_AFTER_MS = MINUTE_MS

/**
 * Consumes a stream for one group: takes its share of the partitions, passes frames that the group has not seen to the handler, and commits their
 * effects and the positions in one transaction. Any number of members may run, and any of them may be killed: effects are written exactly once.
 * Resolves at once; the consumer waits for a database or stream that cannot be reached yet.
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
  readonly #watchdog: Watchdog<Prepared, Tx>
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
  /** Why the stream cannot be used with these settings. */
  #refusedReason: string | undefined
  /** While it stands by it is not a member: it sends no heartbeats and has no share. */
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
    this.#watchdog = new Watchdog(this.#context)
  }

  start(): void {
    const { settings } = this.#context
    this.#running = this.#run()
    // A failed heartbeat needs no handling: the session's own connection fails as well.
    this.#timers.push(setInterval(() => void this.#heartbeat().catch(() => undefined), settings.heartbeatMs))
    this.#timers.push(setInterval(() => this.#maintain(), settings.mirrorMs))
    const watch = () => void this.#watchdog.check(this.#blockedReason === undefined ? this.#session : undefined)
    this.#timers.push(setInterval(watch, this.#watchdog.checkEveryMs))
  }

  state(): ConsumerState {
    const states = [...(this.#session?.states.values() ?? [])]
    return {
      member: this.#context.member,
      partitions: states.map(({ partition }) => partition).sort((a, b) => a - b),
      blockedReason: this.#blockedReason ?? this.#refusedReason,
      stalledPartitions: this.#watchdog.alarmed,
      lagRecords: new Map(states.map(({ partition, lagRecords }) => [partition, lagRecords])),
    }
  }

  stop(timeoutMs = STOP_MS): Promise<void> {
    this.#stopped ??= this.#stop(performance.now() + timeoutMs)
    return this.#stopped
  }

  /** Each step takes at most half of the time that is left. */
  async #stop(endsAtMs: number): Promise<void> {
    const { logger, table, metrics } = this.#context
    const end = (work: Promise<void> | undefined, action: string) => {
      const timeoutMs = Math.max(0, (endsAtMs - performance.now()) / 2)
      return work && closeInTime(work, { action, logger, timeoutMs })
    }
    this.#stopping.abort()
    this.#session?.stop()
    for (const timer of this.#timers) clearInterval(timer)
    const hung = setTimeout(
      () => this.#session?.abort(streamErrors.STREAM_STALLED({ message: 'a read does not end' })),
      Math.min(CLOSE_MS, (endsAtMs - performance.now()) / 4),
    )
    await end(this.#running, 'ending the session')
    clearTimeout(hung)
    await end(
      this.#heartbeatUnderWay?.catch(() => undefined),
      'the last heartbeat',
    )
    await end(this.#maintenanceUnderWay, 'maintenance of the stream')
    await this.#leaveBroker()
    await end(table.leave(), 'releasing the partitions')
    metrics?.leasesHeld.set(0)
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

  /** See ConsumerSession. */
  async #runSession(): Promise<void> {
    const assignment = this.#assignment ?? (await this.#join())
    this.#refusedReason = undefined
    this.#assignment = assignment
    await this.#heartbeat()
    const { config, settings, member } = this.#context
    const connection = await config.database.connection({ applicationName: `millrace ${config.group} ${member}` })
    try {
      // A process that is suspended inside a transaction would keep its locks, and the next owner would wait for them.
      await connection.query(`set idle_in_transaction_session_timeout = ${Math.ceil(settings.leaseMs)}`)
      const reader = await assignment.openReader()
      try {
        this.#session = new ConsumerSession(this.#context, {
          connection,
          reader,
          assignment,
          heartbeat: () => this.#heartbeat(),
          onCommit: () => this.#noteCommit(),
          onStopping: () => this.#showLastPositions(),
        })
        if (this.#stopping.signal.aborted) return
        await this.#session.run()
      } finally {
        this.#session = undefined
        await closeInTime(reader.close(), { action: 'closing a reader', logger: this.#context.logger })
      }
    } finally {
      await closeInTime(connection.close(), {
        action: 'closing the connection to PostgreSQL',
        logger: this.#context.logger,
      })
    }
  }

  async #showLastPositions(): Promise<void> {
    const { logger } = this.#context
    const shown = this.#maintenance.showPositions(this.#session?.states ?? new Map())
    await closeInTime(shown, { action: 'showing the last positions', logger })
  }

  async #join(): Promise<PartitionAssignment> {
    const { config, settings, table, member } = this.#context
    const { driver, stream, group } = config
    await table.ensurePartitions(settings.partitions)
    await driver.prepare(stream, settings.partitions, settings.windowMs)
    if (driver.assignment === 'leases') return new LeaseAssignment(driver, stream, table, settings.partitions)
    const { leaseMs } = settings
    return await BrokerAssignment.join(
      { stream, group, member, instance: config.instance, sessionTimeoutMs: leaseMs },
      { driver, table, now: this.#context.now, handOverMs: leaseMs / 3, onChange: () => this.#session?.wake() },
    )
  }

  /** Heartbeats never overlap: a caller that arrives during one waits, then shares the next. */
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
    if (isHung !== this.#isHung && isHung) {
      logger.error('the handler hangs; the leases of this member are not renewed', { busyMs: session.busyMs })
      this.#giveUpHungSession(session)
    }
    this.#isHung = isHung
    if (isHung) return
    const heldEpochs = session?.epochs ?? new Map<number, number>()
    const sentAtMs = now()
    const heartbeat = await table.heartbeat(idleTimes(session))
    this.#assignment?.setLiveMembers(heartbeat.liveMembers)
    if (session === this.#session) session?.onHeartbeat(heartbeat, heldEpochs, sentAtMs)
  }

  /** A broker would leave the partitions to this member for as long as the process lives. With leases they expire. */
  #giveUpHungSession(session: ConsumerSession<Prepared, Tx>): void {
    if (this.#context.config.driver.assignment !== 'broker') return
    session.abort(streamErrors.LEASE_LOST({ message: 'the handler hung, and this member has left the group' }))
    void this.#leaveBroker()
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
      logger.warn('another member has taken over a partition; the session starts again', { error })
      return await this.#pause(settings.retryFirstMs)
    }
    if (streamErrors.STREAM_CONFIG.matches(error)) return await this.#waitForSettings(error as Error)
    if (streamErrors.STREAM_STALLED.matches(error)) return await this.#handleStall(error)
    this.#failures++
    metrics?.retries.inc()
    if (this.#failures <= settings.retryAttempts) {
      logger.warn('a batch failed; it is tried again', { error, failures: this.#failures })
      const retry = { firstDelayMs: settings.retryFirstMs, delayMsMax: settings.retryCapMs }
      return await this.#pause(computeRetryDelayMs(this.#failures, retry, this.#random))
    }
    await this.#block(error)
    if (await this.#canOthersContinue()) await this.#standBy()
    else await this.#pause(settings.retryCapMs)
  }

  /** A person may change the stream, so that the settings fit again. */
  async #waitForSettings(error: Error): Promise<void> {
    const { logger, settings } = this.#context
    if (this.#refusedReason !== error.message) logger.error('the stream cannot be used with these settings', { error })
    this.#refusedReason = error.message
    await this.#pause(settings.retryCapMs)
  }

  /** The next session opens a new reader in any case. */
  async #handleStall(error: unknown): Promise<void> {
    if (this.#watchdog.takeStep(error) === 'rebuild_reader') return
    const { table } = this.#context
    if (await table.isOtherMemberWorking().catch(() => false)) await this.#standBy()
    else await this.#leave()
  }

  /** Whether the fault concerns only this member, so that the others can work without it. */
  async #canOthersContinue(): Promise<boolean> {
    const { settings, table, now } = this.#context
    if (now() - this.#blockedSinceMs < settings.leaveAfterMs) return false
    return await table.isOtherMemberWorking().catch(() => false)
  }

  /** Leaves the group for a while, each time twice as long, and returns to try again. */
  async #standBy(): Promise<void> {
    const { settings, logger } = this.#context
    const forMs = Math.min(STAND_BY_MS_MAX, settings.leaveAfterMs * 2 ** ++this.#standBys)
    this.#isStandingBy = true
    try {
      await this.#leave()
      logger.error('only this member keeps failing; it leaves the group for a while', { forMs })
      await this.#pause(forMs)
    } finally {
      this.#isStandingBy = false
      // If the others have stored everything meanwhile, no commit would clear the reason; the next failure sets it again.
      this.#blockedReason = undefined
      this.#context.metrics?.blockedPartitions.set(0)
    }
  }

  /** Gives all partitions to the others at once; the next session joins again. */
  async #leave(): Promise<void> {
    await this.#heartbeatUnderWay?.catch(() => undefined)
    await this.#leaveBroker()
    // If this fails, the leases expire.
    await this.#context.table.leave().catch(() => undefined)
  }

  async #leaveBroker(): Promise<void> {
    const assignment = this.#assignment
    this.#assignment = undefined
    const { logger } = this.#context
    if (assignment !== undefined) await closeInTime(assignment.close(), { action: 'leaving the group', logger })
  }

  /** Shows the partitions as blocked until a commit succeeds. No frame is skipped. */
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

/** Partitions that are committed up to their end, with the time of the last observation. */
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
