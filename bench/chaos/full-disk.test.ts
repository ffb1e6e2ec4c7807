import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { canMountSmallDisk, type Stack, type Supervised, supervise, waitFor } from '@millrace/local-stack'
import { findTestKafka, hold, startTestKafka, startTestStack } from '@millrace/testing'
import { ChaosRun } from './chaos-run.js'
import { chaosStackOptions, SHORT_LOAD } from './chaos-stack.js'
import { createSmallDataDirectory, type DiskPart, type SmallDataDirectory } from './full-disk.js'

/*
 * Under load, disks are filled to the last byte, PostgreSQL and the server of the stream are killed with SIGKILL, and later the disks have room again. The
 * limit of failures is the default one of `npm start`. The cases of a stack follow each other: each of them checks everything that was sent since the start.
 */

const WAIT_MS = 120_000
const TEST_MS = 600_000

interface Ready {
  status: number
  /** The check of the stream. */
  stream: { error?: string; details?: { path?: string; free_bytes?: number; needed_bytes?: number } } | undefined
}

interface Case {
  parts: DiskPart[]
  /** The answer to an event while the disks are full. */
  answer: string
  /** The same while the server of the stream is down as well. */
  answerWithoutStream: string
}

const STREAM_FULL = { answer: '503 STREAM_DISK_FULL', answerWithoutStream: '503 STREAM_DISK_FULL' }

const REDIS_CASES: Case[] = [
  { parts: ['postgres', 'redis-stream', 'services', 'log'], ...STREAM_FULL },
  { parts: ['redis-stream'], ...STREAM_FULL },
  { parts: ['postgres'], answer: '200', answerWithoutStream: '200' },
  { parts: ['services'], answer: '200', answerWithoutStream: '503 STREAM_SPOOL_FULL' },
  { parts: ['log'], answer: '200', answerWithoutStream: '200' },
]
/** The broker ends itself when it cannot write, and each start of it fails until the disk has room again. */
const KAFKA_CASES: Case[] = [{ parts: ['kafka'], ...STREAM_FULL }]

const canFill = canMountSmallDisk('a stack with a full disk')
const hasKafka = canFill && typeof findTestKafka('a full disk of a broker') !== 'string'

describeCases('a stack with full disks', REDIS_CASES, canFill)
describeCases('a stack over Kafka with a full disk of the broker', KAFKA_CASES, hasKafka)

function describeCases(name: string, cases: Case[], canRun: boolean): void {
  const isOnKafka = cases === KAFKA_CASES
  const describeHere = canRun ? describe : describe.skip
  describeHere(name, () => {
    let directory: SmallDataDirectory
    let removeDisks: () => Promise<void>
    let broker: SmallBroker | undefined
    let stack: Stack
    let run: ChaosRun
    const lines: string[] = []
    const say = (line: string) => void lines.push(line)
    const failures: Error[] = []

    beforeAll(async () => {
      directory = createSmallDataDirectory([...new Set(cases.flatMap(({ parts }) => parts))])
      removeDisks = hold('small disks', async () => directory.remove())
      broker = isOnKafka ? await startSmallBroker(directory.path, say) : undefined
      const { deathsMax: _, ...options } = chaosStackOptions({})
      stack = await startTestStack({
        ...options,
        env: { ...options.env, ...broker?.env },
        dataDir: directory.path,
        say,
        postgresSettings: { min_wal_size: '80MB', max_wal_size: '160MB', shared_buffers: '64MB' },
      })
      void stack.failed.then((error) => failures.push(error))
      run = new ChaosRun({ stack, stream: broker?.supervised, seed: 1, say, load: SHORT_LOAD })
    }, TEST_MS)

    afterAll(async () => {
      await stack?.stop()
      await broker?.stop()
      await removeDisks?.()
    }, TEST_MS)

    test.each(cases)(
      'a stack survives a full disk of $parts and kills of its servers meanwhile: readiness names the disk, and every acknowledged event is stored once',
      async ({ parts, answer, answerWithoutStream }) => {
        const isFull = (expected: string) =>
          waitFor(
            async () => {
              // Also what the stack has freed meanwhile.
              directory.fill(parts)
              return (await sendEvent(stack)) === expected && agrees(await readReady(stack), expected)
            },
            { deadlineMs: WAIT_MS, intervalMs: 50, what: `${expected}, and readiness that agrees` },
          )
        const said = lines.length
        try {
          await run.underLoad(async (load) => {
            await isFull(answer)
            const { postgres } = stack
            if (postgres === undefined) throw new Error('the stack runs no PostgreSQL')
            const starts = [
              ...(parts.includes('postgres') ? [watchStarts(postgres)] : []),
              ...(parts.includes('kafka') ? [watchStarts(run.stream)] : []),
            ]
            await postgres.server.kill()
            await run.stream.takeDown()
            run.outages++
            try {
              await isFull(answerWithoutStream)
            } finally {
              // The bring-up fails while the disk is full, and the supervisor goes on from there.
              await run.stream.bringUp().catch(() => undefined)
            }
            for (const untilTried of starts) await untilTried()
            // With a full spool, the gateway tries the stream again only after its circuit breaker has been open for 30 s.
            if (!answerWithoutStream.endsWith('SPOOL_FULL')) await isFull(answer)
            directory.free()
            const isReady = async () => (await readReady(stack)).status === 200
            await waitFor(isReady, { deadlineMs: WAIT_MS, what: 'readiness' })
            await load.progress(50)
          })
        } finally {
          directory.free()
        }
        expect(failures).toEqual([])
        const verdict = await run.verify()
        expect(verdict.faults).toEqual([])
        expect(verdict.events.acknowledged).toBeGreaterThan(0)
        if (parts.includes('postgres'))
          expect(lines.slice(said)).toContainEqual(
            expect.stringMatching(/^PostgreSQL ended .* the disk of .* is full: 0 MB free/),
          )
      },
      TEST_MS,
    )
  })
}

interface SmallBroker extends Awaited<ReturnType<typeof startSmallBroker>> {}

/** A broker whose data is in the folder `kafka` of the directory. */
async function startSmallBroker(directory: string, say: (line: string) => void) {
  const dir = join(directory, 'kafka')
  const server = await startTestKafka({ dir })
  const supervised = supervise(server, { say, onGivenUp: ({ message }) => say(message), deathsMax: 1_000 })
  const env = { STREAM_DRIVER: 'kafka', KAFKA_BROKERS: server.brokers, STREAM_DISK_PATH: dir }
  return {
    supervised,
    env,
    stop: async () => {
      await supervised.stop()
      await server.stop()
    },
  }
}

async function readReady(stack: Stack): Promise<Ready> {
  const gateway = stack.services.find(({ instance }) => instance.entry.name === 'ingest-gateway')
  const response = await fetch(`${gateway?.server.adminUrl}/ready`)
  const { checks } = (await response.json()) as { checks?: { stream?: Ready['stream'] } }
  return { status: response.status, stream: checks?.stream }
}

/** Whether readiness agrees with the answer to events, and names the disk when that is the reason. */
function agrees({ status, stream }: Ready, answer: string): boolean {
  const [expected, code] = answer.split(' ')
  if (String(status) !== expected) return false
  if (code === undefined) return true
  const { path, free_bytes: free, needed_bytes: needed } = stream?.details ?? {}
  return stream?.error === code && path !== undefined && free !== undefined && needed !== undefined && free < needed
}

/** Sends one event that is stored only when it is accepted. Returns "200", or the status and the code of the refusal. */
async function sendEvent(stack: Stack): Promise<string> {
  const response = await fetch(`${stack.url}/v1/track`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stack.writeKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ event: 'Full disk', userId: 'disk' }),
    signal: AbortSignal.timeout(WAIT_MS),
  })
  const { code = '' } = (await response.json()) as { code?: string }
  return `${response.status} ${code}`.trim()
}

/** Notes each start of a server from now on. The returned function waits until two starts have failed, or the server runs in spite of the full disk. */
function watchStarts({ server, wasDown }: Supervised): () => Promise<void> {
  const pids = new Set([server.pid])
  const timer = setInterval(() => pids.add(server.pid), 5)
  return async () => {
    const hasBeenTried = () => pids.size > 2 || !wasDown(performance.now())
    try {
      await waitFor(hasBeenTried, { deadlineMs: WAIT_MS, what: `two starts of ${server.name}` })
    } finally {
      clearInterval(timer)
    }
  }
}
