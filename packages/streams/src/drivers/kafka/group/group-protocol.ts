/** Error codes of the group protocol that are handled by name. https://kafka.apache.org/protocol.html#protocol_error_codes */
export const GROUP_ERROR = {
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  invalidGroupId: 24,
  unknownMemberId: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  memberIdRequired: 79,
  groupMaxSizeReached: 81,
  fencedInstanceId: 82,
} as const

/** The coordinator has answered with an error code. */
export class GroupError extends Error {
  readonly code: number
  /** The id that the coordinator gives to a new member, with `memberIdRequired`. */
  readonly memberId: string | undefined

  constructor(code: number, message: string, memberId?: string) {
    super(message)
    this.code = code
    this.memberId = memberId
  }
}

/** A member in one generation of its group. */
export interface MemberIdentity {
  /** Given by the coordinator; empty before the first join. */
  readonly memberId: string
  /** group.instance.id, of a static member. */
  readonly instance: string | undefined
  readonly generation: number
}

export interface JoinRequest {
  readonly memberId: string
  readonly instance: string | undefined
  readonly sessionTimeoutMs: number
  /** How long the coordinator waits for the other members of a rebalance, in ms. */
  readonly rebalanceTimeoutMs: number
  /** The protocols that this member supports, the preferred one first. The coordinator chooses one that all members support. */
  readonly protocols: readonly { readonly name: string; readonly metadata: Buffer }[]
}

export interface JoinAnswer {
  readonly generation: number
  readonly memberId: string
  /** The member that assigns the partitions. */
  readonly leader: string
  /** All members; empty for members that are not the leader. */
  readonly members: readonly { readonly memberId: string; readonly metadata: Buffer }[]
}

/**
 * The requests to the coordinator of one group, sent by a client library on a connection of its own: a join waits for the other members. The
 * coordinator is looked up with the first request, and again after `forget`. Every call ends within `timeoutMs`, also when the broker hangs.
 * @throws GroupError when the coordinator answers with an error code, another error when there is no answer.
 */
export interface GroupCoordinator {
  join(request: JoinRequest, timeoutMs: number): Promise<JoinAnswer>
  /** Returns the assignment of this member. `assignments` is empty unless the member is the leader. */
  sync(
    member: MemberIdentity,
    assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
    timeoutMs: number,
  ): Promise<Buffer>
  heartbeat(member: MemberIdentity, timeoutMs: number): Promise<void>
  commit(
    member: MemberIdentity,
    offsets: readonly { readonly partition: number; readonly offset: number }[],
    timeoutMs: number,
  ): Promise<void>
  leave(member: MemberIdentity, timeoutMs: number): Promise<void>
  /** Another broker may be the coordinator now. */
  forget(): void
  close(): void
}
