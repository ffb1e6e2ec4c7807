import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { importInnerFile, ROOT } from '../lib/repository.js'
import { type Contestant, FETCH_LIMITS, type Target } from './contestant.js'

const PACKAGE = '@platformatic/kafka'
export const PLATFORMATIC_VERSION = '1.35.0'
const FOLDER = '.cache/kafka-clients'
const ACKS_ALL = -1
const NO_SESSION = [0, -1] as const

/** The calls of the library that are measured, as its declarations describe them. */
interface Library {
  Connection: new (clientId: string, options: { requestTimeout: number; maxInflights: number }) => Connection
  metadataV12: { api: Call<[topics: string[]], { topics: { topicId: string }[] }> }
  produceV11: { api: Call<[acks: number, timeoutMs: number, records: Record[]], object> }
  fetchV17: { api: Call<FetchArguments, { responses: { partitions: FetchedPartition[] }[] }> }
}

interface Connection {
  connect(host: string, port: number): Promise<void>
}

interface Call<Arguments extends unknown[], Answer> {
  async(connection: Connection, ...args: Arguments): Promise<Answer>
}

interface Record {
  topic: string
  partition: number
  value: Buffer
  timestamp: bigint
}

type FetchArguments = [
  maxWaitMs: number,
  minBytes: number,
  maxBytes: number,
  isolationLevel: number,
  sessionId: number,
  sessionEpoch: number,
  topics: object[],
  forgotten: object[],
  rackId: string,
]

interface FetchedPartition {
  partitionIndex: number
  highWatermark: bigint
  records?: { firstOffset: bigint; records: { offsetDelta: number }[] }[]
}

/**
 * Installs the library beside the workspace: two of its dependencies ask for Node.js 22 in their manifests, which the strict check of engines in this
 * workspace refuses, although they run on Node.js 20.
 */
export function installPlatformatic(): void {
  const folder = join(ROOT, FOLDER)
  if (existsSync(join(folder, 'node_modules', PACKAGE))) return
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--no-engine-strict']
  execFileSync('npm', ['install', '--prefix', folder, ...options, `${PACKAGE}@${PLATFORMATIC_VERSION}`], {
    stdio: 'ignore',
  })
}

/** Its connections and protocol calls, with which a client that bounds every request is built. Its Producer and Consumer add work to each of them. */
export async function openPlatformatic({ broker, topic }: Target): Promise<Contestant> {
  const library = await importInnerFile<Library>(`${FOLDER}/node_modules/${PACKAGE}/dist/index.js`)
  const [host = '', port] = broker.split(':')
  const connect = async () => {
    const connection = new library.Connection('bench', { requestTimeout: 5000, maxInflights: 1000 })
    await connection.connect(host, Number(port))
    return connection
  }
  const [producing, fetching] = [await connect(), await connect()]
  const { topics } = await library.metadataV12.api.async(producing, [topic])
  const topicId = topics[0]?.topicId
  const { maxWaitMs, bytesMax, partitionBytesMax } = FETCH_LIMITS
  return {
    produce: async (frames) => {
      const timestamp = BigInt(Date.now())
      const records = frames.map(({ partition, frame }) => ({ topic, partition, value: frame, timestamp }))
      await library.produceV11.api.async(producing, ACKS_ALL, 5000, records)
    },
    fetch: async (offsets) => {
      const partitions = offsets.map((offset, partition) => ({
        partition,
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(offset),
        lastFetchedEpoch: -1,
        partitionMaxBytes: partitionBytesMax,
      }))
      const wanted = [{ topicId, partitions }]
      const args: FetchArguments = [maxWaitMs, 1, bytesMax, 0, ...NO_SESSION, wanted, [], '']
      const answer = await library.fetchV17.api.async(fetching, ...args)
      let frames = 0
      for (const partition of answer.responses[0]?.partitions ?? []) frames += advance(partition, offsets)
      return frames
    },
  }
}

function advance({ partitionIndex, highWatermark, records = [] }: FetchedPartition, offsets: number[]): number {
  let next = offsets[partitionIndex] ?? 0
  let frames = 0
  for (const batch of records)
    for (const { offsetDelta } of batch.records) {
      const offset = Number(batch.firstOffset) + offsetDelta
      if (offset < next) continue
      next = offset + 1
      frames++
    }
  offsets[partitionIndex] = next >= Number(highWatermark) ? 0 : next
  return frames
}
