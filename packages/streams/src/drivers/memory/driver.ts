import type {
  AppendResult,
  BrokerGroupListener,
  BrokerGroupMember,
  BrokerMembership,
  FrameToAppend,
  GroupMirror,
  PartitionDescription,
  Position,
  StoredFrame,
  StreamDriver,
  StreamMemory,
  StreamReader,
  TrimRequest,
} from '../../driver/stream-driver.js'
import { streamErrors } from '../../errors.js'
import { MemoryGroup } from './group.js'
import { PartitionLog } from './partition-log.js'
import { MemoryReader } from './reader.js'

/** How the memory driver behaves in a test. */
export interface MemoryDriverOptions {
  /** Default 'leases'. With 'broker' the driver assigns partitions itself, as Kafka does. */
  readonly assignment?: 'leases' | 'broker'
  /** Appends beyond this size are refused as full. Default: no limit. */
  readonly ceilingBytes?: number
  /** Milliseconds since 1970. Default Date.now. */
  readonly now?: () => number
}

/** How an append fails, for tests: `lost` before the frame is stored, `ambiguous` after it. */
export type MemoryFault = 'lost' | 'ambiguous'

/** A stream in the memory of this process, for tests. All consumers and producers share one instance. */
export class MemoryDriver implements StreamDriver {
  readonly name = 'memory'
  readonly assignment: 'leases' | 'broker'
  /** Group positions as last mirrored, by `stream/group/partition`. */
  readonly mirrored = new Map<string, GroupMirror>()
  /** Called for every appended frame; a fault makes its append fail. */
  faultOf: (stream: string, frame: FrameToAppend) => MemoryFault | undefined = () => undefined
  /** Partitions that have no leader: they can be neither described nor used, and their frames stay. */
  readonly withoutLeader = new Set<number>()
  readonly #ceilingBytes: number | undefined
  readonly #now: () => number
  readonly #logs = new Map<string, Map<number, PartitionLog>>()
  readonly #groups = new Map<string, MemoryGroup>()
  readonly #readers = new Set<MemoryReader>()
  readonly #partitionCounts = new Map<string, number>()
  #isDown = false

  constructor(options: MemoryDriverOptions = {}) {
    this.assignment = options.assignment ?? 'leases'
    this.#ceilingBytes = options.ceilingBytes
    this.#now = options.now ?? Date.now
  }

  /** Set to false, every call fails as if the server were down; the frames stay. */
  set isUp(isUp: boolean) {
    this.#isDown = !isUp
    for (const reader of this.#readers) reader.wake()
  }

  async prepare(stream: string, partitions: number): Promise<void> {
    this.#partitionCounts.set(stream, partitions)
  }

  comparePositions(a: Position, b: Position): number {
    return Number(a) - Number(b)
  }

  safeStart(position: Position): Position {
    return position
  }

  async append(stream: string, frames: readonly FrameToAppend[]): Promise<AppendResult[]> {
    await Promise.resolve()
    const results = frames.map((frame) => this.#appendOne(stream, frame))
    for (const reader of this.#readers) reader.wake()
    return results
  }

  async openReader(stream: string): Promise<StreamReader> {
    const reader: MemoryReader = new MemoryReader({
      after: (partition, position, framesMax) =>
        this.withoutLeader.has(partition) ? [] : this.log(stream, partition).after(position, framesMax),
      assertUp: () => this.#assertUp(),
      closed: () => this.#readers.delete(reader),
    })
    this.#readers.add(reader)
    return reader
  }

  async describe(stream: string, partitions: readonly number[]): Promise<PartitionDescription[]> {
    this.#assertUp()
    const described = partitions.filter((partition) => !this.withoutLeader.has(partition))
    if (described.length === 0) this.#assertLeader(partitions[0])
    return described.map((partition) => {
      const { first, last, length, framesEver } = this.log(stream, partition)
      return { partition, first, last, frames: length, framesEver }
    })
  }

  async tail(stream: string, partition: number, frames: number): Promise<StoredFrame[]> {
    this.#assertLeader(partition)
    return this.log(stream, partition).tail(frames)
  }

  async positionAt(stream: string, partition: number, timeMs: number): Promise<Position> {
    this.#assertLeader(partition)
    return this.log(stream, partition).positionAt(timeMs)
  }

  async trim(stream: string, partition: number, { before, framesMax, newest }: TrimRequest): Promise<number> {
    this.#assertLeader(partition)
    const log = this.log(stream, partition)
    if (newest !== undefined && log.tail(1)[0]?.position !== newest) return 0
    return log.trim(before, framesMax ?? Number.MAX_SAFE_INTEGER)
  }

  async mirrorGroup(stream: string, group: string, positions: readonly GroupMirror[]): Promise<void> {
    this.#assertUp()
    for (const position of positions) this.mirrored.set(`${stream}/${group}/${position.partition}`, position)
  }

  async memory(): Promise<StreamMemory> {
    this.#assertUp()
    return { usedBytes: this.#usedBytes(), ceilingBytes: this.#ceilingBytes }
  }

  async joinGroup(
    { stream, group, member }: BrokerGroupMember,
    listener: BrokerGroupListener,
  ): Promise<BrokerMembership> {
    this.#assertUp()
    const key = `${stream}/${group}`
    const coordinator = this.#groups.get(key) ?? new MemoryGroup(this.#partitionCounts.get(stream) ?? 16)
    this.#groups.set(key, coordinator)
    coordinator.join(member, listener)
    return { leave: async () => coordinator.leave(member) }
  }

  async close(): Promise<void> {}

  log(stream: string, partition: number): PartitionLog {
    const logs = this.#logs.get(stream) ?? new Map<number, PartitionLog>()
    const log = logs.get(partition) ?? new PartitionLog(partition, this.#now)
    this.#logs.set(stream, logs.set(partition, log))
    return log
  }

  #appendOne(stream: string, frame: FrameToAppend): AppendResult {
    const fault = this.#isDown || this.withoutLeader.has(frame.partition) ? 'lost' : this.faultOf(stream, frame)
    if (fault === 'lost')
      return { kind: 'unavailable', isAmbiguous: false, cause: new Error('the stream in memory is down') }
    if (this.#ceilingBytes !== undefined && this.#usedBytes() + frame.frame.length > this.#ceilingBytes) {
      return { kind: 'full', cause: new Error('the stream in memory is full') }
    }
    const position = this.log(stream, frame.partition).append(frame.frame)
    if (fault === 'ambiguous')
      return { kind: 'unavailable', isAmbiguous: true, cause: new Error('the answer was lost') }
    return { kind: 'held', position }
  }

  #usedBytes(): number {
    let bytes = 0
    for (const logs of this.#logs.values()) for (const log of logs.values()) bytes += log.bytes
    return bytes
  }

  #assertLeader(partition: number | undefined): void {
    this.#assertUp()
    if (partition !== undefined && this.withoutLeader.has(partition))
      throw streamErrors.STREAM_UNAVAILABLE({ message: `partition ${partition} has no leader` })
  }

  #assertUp(): void {
    if (this.#isDown) throw streamErrors.STREAM_UNAVAILABLE({ message: 'the stream in memory is down' })
  }
}

/** A stream in the memory of this process, for tests. */
export function createMemoryDriver(options: MemoryDriverOptions = {}): MemoryDriver {
  return new MemoryDriver(options)
}
