// What the stream's own code costs a record: open + add + seal + frame + acknowledge in the producer, and intake in the consumer, beside the cost of
// lz4 alone on the same bytes. No server: appends are acknowledged at once. Usage: npm run bench -- streams [--records N], records a batch.
import { createRequire } from 'node:module'
import { FrameIntake } from '../../packages/streams/dist/consumer/frame-intake.js'
import { PartitionState } from '../../packages/streams/dist/consumer/partition-state.js'
import { encodeFrame, openProducer, parseProducerId } from '../../packages/streams/dist/index.js'

const { compressSync, uncompressSync } = createRequire(new URL('../../packages/streams/package.json', import.meta.url))(
  'lz4-napi',
)
const option = process.argv.indexOf('--records')
const batchRecords = option < 0 ? 100 : Number(process.argv[option + 1])
const RECORD = Buffer.from(
  `{"messageId":"0b7a3c1e","userId":"u-829","event":"Flight","properties":{"carrier":"UA","delay":12,"from":"SFO","to":"JFK"},"context":{"ip":"10.1.2.3"}}`.padEnd(
    298,
    ' x',
  ),
)
const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger }

/** Copies records behind each other, as little work as a builder can do. */
class CopyBuilder {
  records = 0
  bytes = 0
  firstTimeMs = 0
  lastTimeMs = 0
  buffer = Buffer.allocUnsafe(batchRecords * RECORD.length)
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

const appended = []
const driver = {
  name: 'memory',
  comparePositions: (a, b) => Number(a) - Number(b),
  memory: async () => ({ usedBytes: 0 }),
  append: async (_, frames) => {
    for (const { frame } of frames) appended.push(frame)
    return frames.map(() => ({ kind: 'held', position: '1' }))
  },
}

const microseconds = (ms, count) => ((ms * 1000) / count).toFixed(3)
function time(work) {
  const startedAt = process.cpuUsage()
  const result = work()
  const spentMs = () => {
    const { user, system } = process.cpuUsage(startedAt)
    return (user + system) / 1000
  }
  return result?.then ? result.then(spentMs) : spentMs()
}

async function main() {
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
    const producing = await time(async () => {
      for (let round = 0; round < rounds; round += 16) {
        const waiting = []
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
    const intake = new FrameIntake({ driver, logger })
    const single = Array.from({ length: frames.length }, (_, index) =>
      encodeFrame({ ...header, sequence: index + 1, cumulativeRecords: (index + 1) * batchRecords }),
    )
    const consuming = time(() => {
      for (const [index, bytes] of single.entries())
        intake.take({ partition: 0, position: String(index + 1), appendedAtMs: 1, bytes }, state)
    })
    if (!isWarm) continue
    console.log(`records a batch ${batchRecords}, bytes a record ${RECORD.length}, frame ${frames[0].length} bytes`)
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
