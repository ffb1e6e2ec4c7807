import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConfig } from '@millrace/redis'
import { createRedisDriver, decodeFrame, openProducer, type StreamDriver } from '@millrace/streams'
import { waitFor } from '@millrace/testing'
import { LinesBuilder, linesOf } from './lines-builder.js'

export interface FailoverPlan {
  readonly redis: Omit<RedisConfig, 'name'>
  readonly minReplicas: number
  /** Causes the fault, under load. */
  readonly fail: () => Promise<void>
  /** Repairs the fault, some seconds later. */
  readonly heal: () => Promise<void>
  /** The load continues for this long after `fail`, in ms, and with `mustSpool` at least until frames were spooled. */
  readonly loadMs: number
  readonly mustSpool: boolean
}

export interface FailoverOutcome {
  readonly acknowledged: number
  readonly spooled: number
  readonly refused: number
  /** Acknowledged records that are not in the stream in the end. */
  readonly lost: number
  /** Records that the sequences show as missing. */
  readonly noticed: number
  /** Frames that are in the stream twice. */
  readonly repeated: number
  readonly isOrdered: boolean
}

const STREAM = 'failover'
const PARTITIONS = 6

/** Sends numbered records while a server fails, then checks the records in the stream. */
export async function runFailover(plan: FailoverPlan): Promise<FailoverOutcome> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-failover-'))
  const redis = await openRedis({ ...plan.redis, name: 'stream' }, { logger: silentLogger })
  const driver = createRedisDriver(
    { minReplicas: plan.minReplicas, appendTimeoutMs: 1000, replicaTimeoutMs: 200 },
    { redis },
  )
  const producer = await openProducer(
    {
      stream: STREAM,
      partitions: PARTITIONS,
      createBuilder: () => new LinesBuilder(),
      lingerMs: 2,
      spool: { directory },
      circuitBreaker: { openMs: 300 },
    },
    { driver, logger: silentLogger },
  )
  const acknowledged = new Set<string>()
  let refused = 0
  let next = 0
  const load = setInterval(() => {
    for (let i = 0; i < 20; i++) {
      const line = `${next++}`
      try {
        const { builder, appended } = producer.open(Number(line) % PARTITIONS)
        builder.add(line)
        appended.then(
          () => acknowledged.add(line),
          () => refused++,
        )
      } catch {
        refused++
      }
    }
  }, 1)
  try {
    await waitFor(async () => acknowledged.size > 500, { what: 'the first records' })
    await plan.fail()
    await new Promise((resolve) => setTimeout(resolve, plan.loadMs))
    if (plan.mustSpool) await waitFor(() => producer.counts().spooledFrames > 0, { what: 'frames in the spool' })
    await plan.heal()
    await new Promise((resolve) => setTimeout(resolve, 500))
    clearInterval(load)
    await producer.flush()
    await waitFor(async () => producer.counts().spoolFrames === 0, {
      deadlineMs: 180_000,
      what: 'the draining of the spool',
    })
    const { spooledFrames } = producer.counts()
    await producer.close()
    return {
      acknowledged: acknowledged.size,
      spooled: spooledFrames,
      refused,
      ...(await inspect(driver, acknowledged)),
    }
  } finally {
    clearInterval(load)
    await producer.close()
    await driver.close()
    await redis.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function inspect(driver: StreamDriver, acknowledged: ReadonlySet<string>) {
  const found = new Set<string>()
  let noticed = 0
  let repeated = 0
  let isOrdered = true
  for (let partition = 0; partition < PARTITIONS; partition++) {
    let sequence = 0
    let records = 0
    let previous = -1
    for (const bytes of await readPartition(driver, partition)) {
      const { header, payload } = decodeFrame(bytes)
      if (header.sequence <= sequence) {
        repeated++
        continue
      }
      noticed += header.cumulativeRecords - header.records - records
      sequence = header.sequence
      records = header.cumulativeRecords
      for (const line of linesOf(payload)) {
        isOrdered &&= Number(line) > previous
        previous = Number(line)
        found.add(line)
      }
    }
  }
  const lost = [...acknowledged].filter((line) => !found.has(line)).length
  return { lost, noticed, repeated, isOrdered }
}

async function readPartition(driver: StreamDriver, partition: number): Promise<Buffer[]> {
  const reader = await driver.openReader(STREAM)
  try {
    reader.seek(partition, '')
    const bytes: Buffer[] = []
    for (;;) {
      const frames = await reader.read({ framesMax: 1000, bytesMax: 16 * 1024 ** 2, blockMs: 0 })
      if (frames.length === 0) return bytes
      bytes.push(...frames.map((frame) => frame.bytes))
    }
  } finally {
    await reader.close()
  }
}
