// What the stream's own code costs a record: open + add + seal + frame + acknowledge in the producer, and intake in the consumer, beside the cost of lz4
// alone on the same bytes. No server: appends are acknowledged at once. Usage: npm run bench -- streams [--records N], where N is the records of a batch.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { silentLogger } from '@millrace/logger'
import {
  type AppendResult,
  type BatchBuilder,
  encodeFrame,
  type FrameToAppend,
  MemoryDriver,
  openProducer,
  parseProducerId,
  type StoredFrame,
  type StreamDriver,
} from '@millrace/streams'
import { importInnerFile, ROOT } from '../lib/repository.js'

/** The parts of the consumer that are measured. */
interface FrameFilter {
  take(stored: StoredFrame, state: object): unknown
}

interface FrameFilterModule {
  FrameFilter: new (deps: { driver: StreamDriver; logger: typeof silentLogger }) => FrameFilter
}

interface PartitionStateModule {
  PartitionState: new (taken: object, producers: object[], takesAnyFirstSequence: boolean) => object
}

const { FrameFilter } = await importInnerFile<FrameFilterModule>('packages/streams/dist/consumer/frame-filter.js')
const { PartitionState } = await importInnerFile<PartitionStateModule>(
  'packages/streams/dist/consumer/partition-state.js',
)
const { compressSync, uncompressSync } = createRequire(join(ROOT, 'packages/streams/package.json'))('lz4-napi') as {
  compressSync(bytes: Buffer): Buffer
  uncompressSync(bytes: Buffer): Buffer
}
const option = process.argv.indexOf('--records')
const batchRecords = option < 0 ? 100 : Number(process.argv[option + 1])
const RECORD = Buffer.from(
  `{"messageId":"0b7a3c1e","userId":"u-829","event":"Flight","properties":{"carrier":"UA","delay":12,"from":"SFO","to":"JFK"},"context":{"ip":"10.1.2.3"}}`.padEnd(
    298,
    ' x',
  ),
)
const logger = silentLogger

/** Copies records one after the other, which is the least work a builder can do. */
class CopyBuilder implements BatchBuilder {
  records = 0
  bytes = 0
  firstTimeMs = 0
  lastTimeMs = 0
  private readonly buffer = Buffer.allocUnsafe(batchRecords * RECORD.length)
  get isEmpty() {
    return this.records === 0
  }
  add() {
    RECORD.copy(this.buffer, this.bytes)
    this.buffer.writeUInt32LE((this.records * 2654435761) >>> 0, this.bytes + 20)
    this.records++
    this.bytes += RECORD.length
  }
  seal() {
    return this.buffer.subarray(0, this.bytes)
  }
}

const appended: Buffer[] = []

/** Acknowledges every append at once. */
class InstantDriver extends MemoryDriver {
  override async append(_stream: string, frames: readonly FrameToAppend[]): Promise<AppendResult[]> {
    for (const { frame } of frames) appended.push(frame)
    return frames.map(() => ({ kind: 'held', position: '1' }))
  }
}

const driver = new InstantDriver()

const microseconds = (ms: number, count: number) => ((ms * 1000) / count).toFixed(3)

/** Processor time of `work` in ms. */
function time(work: () => void): number {
  const startedAt = process.cpuUsage()
  work()
  return cpuMsSince(startedAt)
}

async function timeAsync(work: () => Promise<void>): Promise<number> {
  const startedAt = process.cpuUsage()
  await work()
  return cpuMsSince(startedAt)
}

function cpuMsSince(startedAt: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(startedAt)
  return (user + system) / 1000
}

async function main(): Promise<void> {
  const rounds = Math.ceil(2_000_000 / batchRecords)
  const payload = (() => {
    const builder = new CopyBuilder()
    for (let i = 0; i < batchRecords; i++) builder.add()
    return builder.seal()
  })()
  const records = rounds * batchRecords
  for (const isWarm of [false, true]) {
    const building = time(() => {
      for (let round = 0; round < rounds; round++) {
        const builder = new CopyBuilder()
        for (let i = 0; i < batchRecords; i++) builder.add()
        builder.seal()
      }
    })
    const lz4 = time(() => {
      for (let round = 0; round < rounds; round++) compressSync(payload)
    })
    const header = {
      producer: parseProducerId('00000000-0000-4000-8000-000000000000'),
      flags: 0,
      records: batchRecords,
      firstTimeMs: 0,
      lastTimeMs: 0,
      payload,
    }
    const encoding = time(() => {
      for (let round = 0; round < rounds; round++)
        encodeFrame({ ...header, sequence: round + 1, cumulativeRecords: (round + 1) * batchRecords })
    })
    const producer = await openProducer(
      { stream: 's', createBuilder: () => new CopyBuilder(), lingerMs: 0 },
      { driver, logger },
    )
    appended.length = 0
    const producing = await timeAsync(async () => {
      for (let round = 0; round < rounds; round += 16) {
        const waiting: Promise<unknown>[] = []
        for (let partition = 0; partition < 16; partition++) {
          for (let i = 0; i < batchRecords; i++) {
            const { builder, appended: promise } = producer.open(partition)
            builder.add()
            if (i === 0) waiting.push(promise)
          }
        }
        await Promise.all(waiting)
      }
    })
    await producer.close()
    const frames = appended.slice(0, rounds)
    const unpacking = time(() => {
      for (const frame of frames) uncompressSync(frame.subarray(68))
    })
    const taken = { partition: 0, epoch: 1, position: '', nextOrdinal: 0, frames: 0 }
    const state = new PartitionState(taken, [], true)
    const filter = new FrameFilter({ driver, logger })
    const single = Array.from({ length: frames.length }, (_, index) =>
      encodeFrame({ ...header, sequence: index + 1, cumulativeRecords: (index + 1) * batchRecords }),
    )
    const consuming = time(() => {
      for (const [index, bytes] of single.entries())
        filter.take({ partition: 0, position: String(index + 1), appendedAtMs: 1, bytes }, state)
    })
    if (!isWarm) continue
    console.log(`records a batch ${batchRecords}, bytes a record ${RECORD.length}, frame ${frames[0]?.length} bytes`)
    console.log(
      `us a record: building ${microseconds(building, records)}, lz4 ${microseconds(lz4, records)}, encodeFrame ${microseconds(encoding, records)}`,
    )
    const own = producing - building - lz4
    console.log(
      `  producer in all ${microseconds(producing, records)}, beyond building and lz4 ${microseconds(own, records)}`,
    )
    console.log(
      `  unlz4 ${microseconds(unpacking, records)}, intake in all ${microseconds(consuming, records)}, beyond unlz4 ${microseconds(consuming - unpacking, records)}`,
    )
    console.log(
      `RESULT ${JSON.stringify({ producer_us_per_record: Number(microseconds(own, records)), intake_us_per_record: Number(microseconds(consuming - unpacking, records)), intake_us_per_frame: Number(microseconds(consuming - unpacking, rounds)) })}`,
    )
  }
}
await main()
