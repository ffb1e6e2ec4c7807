import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@millrace/logger'
import { streamErrors } from '../../../errors.js'
import { assignTopics } from './assign-topics.js'
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './consumer-protocol.js'
import {
  GROUP_ERROR,
  type GroupCoordinator,
  GroupError,
  type JoinAnswer,
  type MemberIdentity,
} from './group-protocol.js'

/** How a member joins a group. */
export interface GroupMemberOptions {
  readonly topic: string
  readonly group: string
  /** Number of partitions to share out, from 0. */
  readonly partitions: number
  /** group.instance.id: the member is static. */
  readonly instance: string | undefined
  readonly sessionTimeoutMs: number
  /** Called with the whole assignment of each generation. */
  onAssigned(partitions: readonly number[]): void
  /** The member is no longer in the group, and others may get its partitions. It joins again by itself, except while it is fenced. */
  onLost(): void
}

/**
 * All versions of Millrace must offer this name, or members of two versions could not be in one group. It is not one of Kafka's own names: a foreign
 * consumer in the group would get partitions and their frames would not be stored.
 */
const PROTOCOL_NAME = 'millrace-sticky'

const RETRY_MS = 100
/** Time for a request beyond the time that the coordinator waits by itself, in ms. */
const ANSWER_MS = 5000
/** Pause after an error that a person has to remove, in ms. */
const REFUSED_RETRY_MS = 5000
const LEAVE_MS = 2000
/** Time for the first join, besides the time for a rebalance with the other members, in ms. A new broker creates its topic of offsets meanwhile. */
const FIRST_JOIN_MS = 15_000

const COORDINATOR_MOVED = new Set<number>([
  GROUP_ERROR.coordinatorLoadInProgress,
  GROUP_ERROR.coordinatorNotAvailable,
  GROUP_ERROR.notCoordinator,
])

/** Refusals that do not go away by themselves, in plain words. */
const REFUSALS = new Map<number, string>([
  [
    GROUP_ERROR.inconsistentGroupProtocol,
    'the consumer group has members that are not Millrace consumers: stop them, or set STREAM_GROUP to another name',
  ],
  [GROUP_ERROR.invalidGroupId, 'the broker does not accept the name of the consumer group'],
  [
    GROUP_ERROR.invalidSessionTimeout,
    'the broker does not accept LEASE_MS as the session timeout of members; set it between group.min.session.timeout.ms and group.max.session.timeout.ms of the broker',
  ],
  [GROUP_ERROR.topicAuthorizationFailed, 'this client may not read the topic'],
  [GROUP_ERROR.groupAuthorizationFailed, 'this client may not join the consumer group'],
  [GROUP_ERROR.groupMaxSizeReached, 'the consumer group has as many members as the broker allows'],
])

interface Joined {
  resolve(): void
  reject(error: Error): void
}

/** What a member of a group works with. */
export interface GroupMemberDeps {
  /** Closed when the member leaves. */
  readonly coordinator: GroupCoordinator
  readonly logger: Logger
}

/**
 * A member of a group in Kafka's classic group protocol: it joins, sends heartbeats, joins again after every rebalance or loss, and commits offsets.
 * It never gives up, whatever the coordinator answers. While it joins again it keeps its partitions.
 */
export class GroupMember {
  readonly #options: GroupMemberOptions
  readonly #coordinator: GroupCoordinator
  readonly #logger: Logger
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>
  #memberId = ''
  /** Undefined while the member has to join. */
  #generation: number | undefined
  #owned: readonly number[] = []
  #ownedGeneration = -1
  #isFenced = false
  #isInTrouble = false
  #pauseMs = RETRY_MS
  /** When the coordinator last said that this member is in the group, by the monotonic clock. */
  #heardAtMs = performance.now()
  readonly #offsets = new Map<number, number>()
  readonly #changed = new Set<number>()
  /** Until the first join has succeeded. */
  #joined: Joined | undefined

  private constructor(options: GroupMemberOptions, { coordinator, logger }: GroupMemberDeps, joined: Joined) {
    this.#options = options
    this.#coordinator = coordinator
    this.#logger = logger
    this.#joined = joined
    this.#running = this.#run()
  }

  /**
   * Resolves after the first assignment.
   * @throws STREAM_CONFIG when the broker refuses the member, STREAM_UNAVAILABLE when it cannot be reached.
   */
  static async join(options: GroupMemberOptions, deps: GroupMemberDeps): Promise<GroupMember> {
    const limit = new AbortController()
    let member: GroupMember | undefined
    try {
      await new Promise<void>((resolve, reject) => {
        const late = { message: `the coordinator of the consumer group ${options.group} does not answer` }
        sleep(FIRST_JOIN_MS + options.sessionTimeoutMs, undefined, { signal: limit.signal }).then(
          () => reject(streamErrors.STREAM_UNAVAILABLE(late)),
          () => undefined,
        )
        member = new GroupMember(options, deps, { resolve, reject })
      })
      return member as unknown as GroupMember
    } catch (error) {
      await member?.leave()
      throw error
    } finally {
      limit.abort()
    }
  }

  /** The next offsets to be processed. They are sent with the next heartbeat, and again after a rebalance when that was not possible. */
  commit(offsets: readonly { readonly partition: number; readonly offset: number }[]): void {
    for (const { partition, offset } of offsets) {
      if (this.#offsets.get(partition) === offset) continue
      this.#offsets.set(partition, offset)
      this.#changed.add(partition)
    }
  }

  /** Never rejects, and ends within seconds. A static member only stops: its partitions are kept for it until its session times out. */
  async leave(): Promise<void> {
    this.#stopping.abort()
    // A join under way waits for the other members.
    await atMost(LEAVE_MS, this.#running)
    if (this.#memberId !== '' && !this.#isFenced) await atMost(LEAVE_MS, this.#sayGoodbye())
    this.#coordinator.close()
  }

  async #sayGoodbye(): Promise<void> {
    await this.#sendOffsets().catch(() => undefined)
    if (this.#options.instance === undefined)
      await this.#coordinator.leave(this.#identity, LEAVE_MS).catch(() => undefined)
  }

  get #identity(): MemberIdentity {
    return { memberId: this.#memberId, instance: this.#options.instance, generation: this.#generation ?? -1 }
  }

  get #heartbeatMs(): number {
    return Math.min(1000, this.#options.sessionTimeoutMs / 6)
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      let pauseMs = this.#heartbeatMs
      try {
        if (this.#generation === undefined) await this.#join()
        else await this.#sendHeartbeat()
        this.#noteAnswer()
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        pauseMs = this.#handle(error as Error)
      }
      await sleep(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
    }
  }

  async #join(): Promise<void> {
    const { topic, partitions, instance, sessionTimeoutMs, onAssigned } = this.#options
    const metadata = encodeSubscription({ topic, partitions, owned: this.#owned, generation: this.#ownedGeneration })
    const timeoutMs = sessionTimeoutMs + ANSWER_MS
    const answer = await this.#coordinator.join(
      {
        memberId: this.#memberId,
        instance,
        sessionTimeoutMs,
        rebalanceTimeoutMs: sessionTimeoutMs,
        protocols: [{ name: PROTOCOL_NAME, metadata }],
      },
      timeoutMs,
    )
    this.#memberId = answer.memberId
    const identity = { memberId: answer.memberId, instance, generation: answer.generation }
    const assignments = answer.leader === answer.memberId ? this.#assign(answer) : []
    const owned = decodeAssignment(await this.#coordinator.sync(identity, assignments, timeoutMs), topic)
    if (this.#stopping.signal.aborted) return
    this.#generation = this.#ownedGeneration = answer.generation
    this.#owned = owned
    for (const partition of this.#offsets.keys()) {
      if (owned.includes(partition)) this.#changed.add(partition)
      else this.#forgetOffset(partition)
    }
    onAssigned(owned)
  }

  #assign({ members }: JoinAnswer): { readonly memberId: string; readonly assignment: Buffer }[] {
    const own = this.#options
    const views = members.map(({ memberId, metadata }) => ({ memberId, ...decodeSubscription(metadata, own.topic) }))
    return assignTopics(views, own).map(({ memberId, topic, partitions }) => ({
      memberId,
      assignment: encodeAssignment(topic, partitions),
    }))
  }

  async #sendHeartbeat(): Promise<void> {
    await this.#coordinator.heartbeat(this.#identity, this.#answerMs)
    await this.#sendOffsets()
  }

  async #sendOffsets(): Promise<void> {
    const sent = [...this.#changed].map((partition) => ({ partition, offset: this.#offsets.get(partition) as number }))
    if (sent.length === 0) return
    await this.#coordinator.commit(this.#identity, sent, this.#answerMs)
    for (const { partition, offset } of sent)
      if (this.#offsets.get(partition) === offset) this.#changed.delete(partition)
  }

  get #answerMs(): number {
    return Math.min(ANSWER_MS, this.#options.sessionTimeoutMs / 3)
  }

  #noteAnswer(): void {
    this.#heardAtMs = performance.now()
    this.#pauseMs = RETRY_MS
    this.#joined?.resolve()
    this.#joined = undefined
    if (this.#isInTrouble) this.#logger.info('the coordinator of the consumer group answers again')
    this.#isInTrouble = this.#isFenced = false
  }

  /** Decides what the next request is; returns the pause before it, in ms. */
  #handle(error: Error): number {
    const code = error instanceof GroupError ? error.code : undefined
    switch (code) {
      case GROUP_ERROR.memberIdRequired:
        this.#memberId = (error as GroupError).memberId ?? ''
        return 0
      case GROUP_ERROR.rebalanceInProgress:
        this.#heardAtMs = performance.now()
        this.#generation = undefined
        return 0
      case GROUP_ERROR.unknownMemberId:
        this.#memberId = ''
        if (this.#isFenced)
          this.#logger.info(
            'the other process with the same instance name (KAFKA_GROUP_INSTANCE_ID) has left; this process joins the group',
          )
        else this.#lose(error)
        this.#isFenced = false
        this.#generation = undefined
        return RETRY_MS
      case GROUP_ERROR.illegalGeneration:
        this.#lose(error)
        return RETRY_MS
      case GROUP_ERROR.fencedInstanceId:
        return this.#standAside(error)
      default:
        return code !== undefined && REFUSALS.has(code) ? this.#noteRefusal(error, code) : this.#retry(error)
    }
  }

  /**
   * The coordinator has fenced this process, because a newer process has joined with the same instance name. This process joins only when the newer one
   * has left. Until then it goes on with heartbeats: the coordinator refuses them, and they do not disturb the newer process.
   */
  #standAside(error: Error): number {
    const generation = this.#generation ?? this.#ownedGeneration
    if (!this.#isFenced) {
      const { instance } = this.#options
      this.#logger.error(
        'another process with the same instance name (KAFKA_GROUP_INSTANCE_ID) has joined the consumer group; this process stays out of the group until the other one has left',
        { instance },
      )
      this.#lose(error)
    }
    this.#isFenced = true
    this.#generation = generation
    return Math.max(this.#heartbeatMs, this.#answerMs)
  }

  #noteRefusal(error: Error, code: number): number {
    const { group, sessionTimeoutMs } = this.#options
    const details = { group, sessionTimeoutMs, error: error.message }
    if (this.#joined !== undefined)
      this.#joined.reject(streamErrors.STREAM_CONFIG({ message: REFUSALS.get(code) as string, details }))
    else if (!this.#isInTrouble)
      this.#logger.error('the broker refuses this member of the consumer group', {
        reason: REFUSALS.get(code),
        ...details,
      })
    this.#joined = undefined
    this.#isInTrouble = true
    this.#lose(error)
    return REFUSED_RETRY_MS
  }

  /** The coordinator cannot be reached or has moved. The partitions stay until the session must have timed out there. */
  #retry(error: Error): number {
    this.#coordinator.forget()
    const isExpected = error instanceof GroupError && COORDINATOR_MOVED.has(error.code)
    if (!this.#isInTrouble && !isExpected) {
      this.#isInTrouble = true
      this.#logger.warn('the coordinator of the consumer group does not answer; it is tried again', { error })
    }
    if (performance.now() - this.#heardAtMs > this.#options.sessionTimeoutMs) this.#lose(error)
    const pauseMs = this.#pauseMs
    this.#pauseMs = Math.min(this.#pauseMs * 2, this.#heartbeatMs)
    return pauseMs
  }

  #lose(error: Error): void {
    this.#generation = undefined
    this.#ownedGeneration = -1
    this.#changed.clear()
    this.#offsets.clear()
    if (this.#owned.length === 0) return
    this.#owned = []
    this.#logger.warn('this member is no longer in the consumer group; it joins again', { error })
    this.#options.onLost()
  }

  #forgetOffset(partition: number): void {
    this.#offsets.delete(partition)
    this.#changed.delete(partition)
  }
}

/** Waits for `work`, which never rejects, but not longer than `ms`. */
async function atMost(ms: number, work: Promise<void>): Promise<void> {
  const done = new AbortController()
  await Promise.race([work, sleep(ms, undefined, { signal: done.signal }).catch(() => undefined)])
  done.abort()
}
