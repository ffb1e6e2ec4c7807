import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type Logger, silentLogger } from '@millrace/logger'
import { waitFor } from '@millrace/testing'
import { decodeSubscription, encodeAssignment } from './consumer-protocol.js'
import { GroupMember, type GroupMemberOptions } from './group-member.js'
import { GROUP_ERROR, type GroupCoordinator, GroupError, type JoinRequest } from './group-protocol.js'

type Call = 'join' | 'sync' | 'heartbeat' | 'commit' | 'leave' | 'forget' | 'close'

/** Answers as `faults` says: the next error for a call, or else success. Counts generations. */
class ScriptedCoordinator implements GroupCoordinator {
  readonly calls: Call[] = []
  readonly joins: string[] = []
  readonly committed: { partition: number; offset: number }[] = []
  assigned = [0, 1, 2]
  /** What the member has said about itself. */
  readonly subscriptions: Buffer[] = []
  generation = 0
  /** The error for a call, or 'hang'. */
  faults: (call: Call) => Error | 'hang' | undefined = () => undefined

  async join({ memberId, protocols }: JoinRequest) {
    this.joins.push(memberId)
    this.subscriptions.push(...protocols.map(({ metadata }) => metadata))
    await this.#answer('join')
    this.generation++
    return { generation: this.generation, memberId: 'id-1', leader: 'another', members: [] }
  }

  async sync() {
    await this.#answer('sync')
    return encodeAssignment('lines', this.assigned)
  }

  heartbeat() {
    return this.#answer('heartbeat')
  }

  async commit(_: unknown, offsets: readonly { partition: number; offset: number }[]) {
    await this.#answer('commit')
    this.committed.push(...offsets)
  }

  leave() {
    return this.#answer('leave')
  }

  forget() {
    this.calls.push('forget')
  }

  close() {
    this.calls.push('close')
  }

  async #answer(call: Call): Promise<void> {
    this.calls.push(call)
    const fault = this.faults(call)
    if (fault === 'hang') await new Promise(() => undefined)
    if (fault instanceof Error) throw fault
  }
}

describe('a member of a Kafka group', () => {
  let coordinator: ScriptedCoordinator
  let events: (readonly number[] | 'lost')[]
  let logged: string[]
  let member: GroupMember | undefined

  beforeEach(() => {
    coordinator = new ScriptedCoordinator()
    events = []
    logged = []
    member = undefined
  })
  afterEach(() => member?.leave())

  const logger: Logger = {
    ...silentLogger,
    info: (message) => void logged.push(`INFO ${message}`),
    warn: (message) => void logged.push(`WARN ${message}`),
    error: (message) => void logged.push(`ERROR ${message}`),
  }
  const join = async (given: Partial<GroupMemberOptions> = {}) => {
    member = await GroupMember.join(
      {
        topic: 'lines',
        group: 'store',
        partitions: 3,
        instance: undefined,
        sessionTimeoutMs: 300,
        onAssigned: (partitions) => events.push([...partitions]),
        onLost: () => events.push('lost'),
        ...given,
      },
      { coordinator, logger },
    )
    return member
  }
  const fail = (call: Call, code: number, times = 1) => {
    let left = times
    coordinator.faults = (called) => (called === call && left-- > 0 ? new GroupError(code, `code ${code}`) : undefined)
  }

  it('joins with the id that the coordinator gives it', async () => {
    let isFirst = true
    coordinator.faults = (call) => {
      if (call !== 'join' || !isFirst) return undefined
      isFirst = false
      return new GroupError(GROUP_ERROR.memberIdRequired, 'an id is required', 'id-1')
    }
    await join()
    expect(coordinator.joins).toEqual(['', 'id-1'])
    expect(events).toEqual([[0, 1, 2]])
  })

  it('tells the leader its topic, how many partitions that has, and which of them it owns', async () => {
    await join()
    fail('heartbeat', GROUP_ERROR.rebalanceInProgress)
    await waitFor(async () => events.length >= 2)
    // The leader may read another topic.
    expect(coordinator.subscriptions.map((bytes) => decodeSubscription(bytes, 'logs'))).toEqual([
      { topic: 'lines', partitions: 3, owned: [], generation: -1 },
      { topic: 'lines', partitions: 3, owned: [0, 1, 2], generation: 1 },
    ])
  })

  it('keeps its partitions during a rebalance and learns of its new ones', async () => {
    await join()
    coordinator.assigned = [1]
    fail('heartbeat', GROUP_ERROR.rebalanceInProgress)
    await waitFor(async () => events.length >= 2)
    expect(events).toEqual([[0, 1, 2], [1]])
    expect(coordinator.joins).toEqual(['', 'id-1'])
  })

  it('reports the loss of its partitions and joins as a new member when its session has expired', async () => {
    await join()
    fail('heartbeat', GROUP_ERROR.unknownMemberId)
    await waitFor(async () => events.length >= 3)
    expect(events).toEqual([[0, 1, 2], 'lost', [0, 1, 2]])
    expect(coordinator.joins).toEqual(['', ''])
  })

  it('keeps its partitions while the coordinator moves to another broker', async () => {
    await join({ sessionTimeoutMs: 60_000 })
    fail('heartbeat', GROUP_ERROR.notCoordinator, 3)
    await waitFor(async () => coordinator.calls.filter((call) => call === 'forget').length >= 3)
    const before = coordinator.calls.length
    await waitFor(async () => coordinator.calls.slice(before).includes('heartbeat'))
    expect(events).toEqual([[0, 1, 2]])
  })

  it('reports the loss of its partitions when the coordinator does not answer for longer than the session', async () => {
    await join()
    coordinator.faults = () => new Error('connection refused')
    await waitFor(async () => events.includes('lost'))
    coordinator.faults = () => undefined
    await waitFor(async () => events.length >= 3)
    expect(events).toEqual([[0, 1, 2], 'lost', [0, 1, 2]])
    expect(logged[0]).toBe('WARN the coordinator of the consumer group does not answer; it is tried again')
    expect(logged).toContain('INFO the coordinator of the consumer group answers again')
  })

  it('stays out of the group while a newer process has its instance name, and joins when that one has left', async () => {
    await join({ instance: 'consumer-1' })
    fail('heartbeat', GROUP_ERROR.fencedInstanceId, 5)
    await waitFor(async () => coordinator.calls.filter((call) => call === 'heartbeat').length >= 5)
    expect(events).toEqual([[0, 1, 2], 'lost'])
    expect(coordinator.joins).toEqual([''])
    expect(logged.filter((line) => line.startsWith('ERROR'))).toEqual([
      'ERROR another process with the same instance name (KAFKA_GROUP_INSTANCE_ID) has joined the consumer group; this process stays out of the group until the other one has left',
    ])
    fail('heartbeat', GROUP_ERROR.unknownMemberId)
    await waitFor(async () => events.length >= 3)
    expect(events).toEqual([[0, 1, 2], 'lost', [0, 1, 2]])
  })

  it('sends offsets again that could not be committed during a rebalance', async () => {
    const joined = await join()
    fail('commit', GROUP_ERROR.rebalanceInProgress)
    joined.commit([{ partition: 1, offset: 7 }])
    await waitFor(async () => coordinator.committed.length > 0)
    expect(coordinator.committed).toEqual([{ partition: 1, offset: 7 }])
    expect(coordinator.generation).toBe(2)
  })

  it.each([
    [GROUP_ERROR.inconsistentGroupProtocol, 'members that are not Millrace consumers'],
    [GROUP_ERROR.invalidSessionTimeout, 'set it between group.min.session.timeout.ms'],
    [GROUP_ERROR.groupAuthorizationFailed, 'may not join'],
  ])('is rejected with the reason in plain words when the broker refuses it with code %s', async (code, reason) => {
    fail('join', code, Number.POSITIVE_INFINITY)
    const joining = join()
    await expect(joining).rejects.toMatchObject({ code: 'STREAM_CONFIG', message: expect.stringContaining(reason) })
    expect(coordinator.calls.at(-1)).toBe('close')
  })

  it('leaves the group at once, but a static member keeps its place for its restart', async () => {
    await (await join()).leave()
    expect(coordinator.calls.slice(-2)).toEqual(['leave', 'close'])
    coordinator.calls.length = 0
    await (await join({ instance: 'consumer-1' })).leave()
    expect(coordinator.calls).not.toContain('leave')
  })

  it('can be left although the coordinator never answers', async () => {
    const joined = await join()
    coordinator.faults = () => 'hang'
    const before = coordinator.calls.length
    await waitFor(async () => coordinator.calls.length > before)
    await joined.leave()
    expect(coordinator.calls.at(-1)).toBe('close')
  })
})
