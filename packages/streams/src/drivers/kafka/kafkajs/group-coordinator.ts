import {
  type GroupCoordinator,
  GroupError,
  type JoinAnswer,
  type JoinRequest,
  type MemberIdentity,
} from '../group/group-protocol.js'
import type { BrokerNodes } from './broker-nodes.js'
import { kafkaError } from './error-codes.js'
import {
  commitRequest,
  type GroupAnswer,
  heartbeatRequest,
  joinRequest,
  leaveRequest,
  syncRequest,
} from './group-requests.js'
import type { KafkajsBroker, WireRequest } from './internals.js'

/** Time limit of the request that looks for the coordinator, in ms. */
const FIND_TIMEOUT_MS = 2000

interface GroupName {
  readonly group: string
  readonly topic: string
}

/** The coordinator of one group by kafkajs' connections. */
export class KafkajsGroupCoordinator implements GroupCoordinator {
  readonly #name: GroupName
  readonly #openNodes: () => BrokerNodes
  readonly #nodes: BrokerNodes
  #node: number | undefined

  /** `openNodes` opens connections of its own: a broker answers the requests of one connection in order, so a join would delay everything else. */
  constructor(name: GroupName, openNodes: () => BrokerNodes) {
    this.#name = name
    this.#openNodes = openNodes
    this.#nodes = openNodes()
  }

  async join(request: JoinRequest, timeoutMs: number): Promise<JoinAnswer> {
    const { errorCode, value } = await this.#send(this.#nodes, joinRequest(this.#name.group, request), timeoutMs)
    this.#check(errorCode, value.memberId)
    return value
  }

  async sync(
    member: MemberIdentity,
    assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
    timeoutMs: number,
  ): Promise<Buffer> {
    const { errorCode, value } = await this.#send(
      this.#nodes,
      syncRequest(this.#name.group, member, assignments),
      timeoutMs,
    )
    this.#check(errorCode)
    return value
  }

  async heartbeat(member: MemberIdentity, timeoutMs: number): Promise<void> {
    this.#check((await this.#send(this.#nodes, heartbeatRequest(this.#name.group, member), timeoutMs)).errorCode)
  }

  async commit(
    member: MemberIdentity,
    offsets: readonly { readonly partition: number; readonly offset: number }[],
    timeoutMs: number,
  ): Promise<void> {
    this.#check((await this.#send(this.#nodes, commitRequest(this.#name, member, offsets), timeoutMs)).errorCode)
  }

  /** On a new connection: on the other one a join may be waiting. */
  async leave(member: MemberIdentity, timeoutMs: number): Promise<void> {
    const nodes = this.#openNodes()
    try {
      this.#check((await this.#send(nodes, leaveRequest(this.#name.group, member), timeoutMs)).errorCode)
    } finally {
      nodes.close()
    }
  }

  forget(): void {
    this.#node = undefined
  }

  close(): void {
    this.#nodes.close()
  }

  async #send<T>(nodes: BrokerNodes, request: WireRequest<GroupAnswer<T>>, timeoutMs: number): Promise<GroupAnswer<T>> {
    return await nodes.send(await this.#connect(nodes), request, timeoutMs)
  }

  async #connect(nodes: BrokerNodes): Promise<KafkajsBroker> {
    if (this.#node === undefined) {
      // All brokers that were known may have been replaced.
      await nodes.metadata([])
      const { nodes: known } = await nodes.cluster()
      const any = await nodes.connect(known[Math.floor(Math.random() * known.length)] as number)
      const find = () => any.findGroupCoordinator({ groupId: this.#name.group, coordinatorType: 0 })
      const { coordinator } = await nodes.run(any, find, FIND_TIMEOUT_MS, 'FindCoordinator')
      // Its address may be new.
      if (!known.includes(coordinator.nodeId)) await nodes.metadata([this.#name.topic])
      this.#node = coordinator.nodeId
    }
    return await nodes.connect(this.#node)
  }

  #check(code: number, memberId?: string): void {
    if (code !== 0) throw new GroupError(code, kafkaError(code, `the group ${this.#name.group}`).message, memberId)
  }
}
