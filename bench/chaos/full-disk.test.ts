import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { canMountSmallDisk, type Stack, supervise, waitFor } from '@millrace/local-stack'
import { findTestKafka, startTestKafka, startTestStack } from '@millrace/testing'
import type { StreamKind } from '../lib/stream-kind.js'
import { ChaosRun } from './chaos-run.js'
import { chaosStackOptions, SHORT_LOAD } from './chaos-stack.js'
import { createSmallDataDirectory, type DiskPart } from './full-disk.js'

const WAIT_MS = 120_000
/** Long enough for several tries to start a server again. */
const FULL_MS = 6_000

interface Ready {
  status: number
  /** The check of the stream. */
  stream: { error?: string; details?: { path?: string; free_bytes?: number } } | undefined
}

async function readReady(stack: Stack): Promise<Ready> {
  const gateway = stack.services.find(({ instance }) => instance.entry.name === 'ingest-gateway')
  const response = await fetch(`${gateway?.server.adminUrl}/ready`)
  const { checks } = (await response.json()) as { checks?: { stream?: Ready['stream'] } }
  return { status: response.status, stream: checks?.stream }
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

interface Case {
  /** Default `redis`. */
  kind?: StreamKind
  parts: DiskPart[]
  /** The answer to an event while the disk is full. */
  answer: string
  /** The same while the server of the stream is down as well. */
  answerWithoutStream: string
}

/** The broker ends itself when it cannot write, and frames go to the spool. */
const KAFKA_CASES: Case[] = [
  { kind: 'kafka', parts: ['kafka'], answer: '503 STREAM_DISK_FULL', answerWithoutStream: '503 STREAM_DISK_FULL' },
]
const hasKafka = typeof findTestKafka('a full disk of a broker') !== 'string'

const cases: Case[] = [
  {
    parts: ['postgres', 'redis-stream', 'services', 'log'],
    answer: '503 STREAM_DISK_FULL',
    answerWithoutStream: '503 STREAM_DISK_FULL',
  },
  { parts: ['redis-stream'], answer: '503 STREAM_DISK_FULL', answerWithoutStream: '503 STREAM_DISK_FULL' },
  { parts: ['postgres'], answer: '200', answerWithoutStream: '200' },
  { parts: ['services'], answer: '200', answerWithoutStream: '503 STREAM_SPOOL_FULL' },
  { parts: ['log'], answer: '200', answerWithoutStream: '200' },
  ...(hasKafka ? KAFKA_CASES : []),
]

const testOnSmallDisk = canMountSmallDisk('a stack with a full disk') ? test : test.skip

/*
 * Under load, the disk is filled to the last byte, PostgreSQL and the server of the stream are killed with SIGKILL, and after some seconds the disk has room again. The limit of
 * failures is the default one of `npm start`.
 */
testOnSmallDisk.each(cases)(
  'a stack survives a full disk of $parts and kills of its servers meanwhile: readiness names the disk, and every acknowledged event is stored once',
  async ({ kind, parts, answer, answerWithoutStream }) => {
    const directory = createSmallDataDirectory(parts)
    const lines: string[] = []
    const { deathsMax: _, ...options } = chaosStackOptions({})
    const broker = kind === 'kafka' ? await startSmallBroker(directory.path, lines) : undefined
    const stack = await startTestStack({
      ...options,
      env: { ...options.env, ...broker?.env },
      dataDir: directory.path,
      say: (line) => lines.push(line),
      postgresSettings: { min_wal_size: '80MB', max_wal_size: '160MB', shared_buffers: '64MB' },
    })
    const failures: Error[] = []
    void stack.failed.then((error) => failures.push(error))
    try {
      const run = new ChaosRun({
        stack,
        stream: broker?.supervised,
        seed: 1,
        say: (line) => lines.push(line),
        load: SHORT_LOAD,
      })
      await run.underLoad(async (load) => {
        directory.fill()
        await waitFor(async () => (await sendEvent(stack)) === answer, { deadlineMs: WAIT_MS, what: answer })
        await expectReady(stack, answer)
        await stack.postgres?.server.kill()
        await run.stream.takeDown()
        run.outages++
        await waitFor(async () => (await sendEvent(stack)) === answerWithoutStream, {
          deadlineMs: WAIT_MS,
          what: answerWithoutStream,
        })
        await expectReady(stack, answerWithoutStream)
        // The bring-up fails while the disk is full, and the supervisor goes on from there.
        await run.stream.bringUp().catch(() => undefined)
        await delay(FULL_MS)
        directory.free()
        await waitFor(async () => (await readReady(stack)).status === 200, { deadlineMs: WAIT_MS, what: 'readiness' })
        await load.progress(50)
      })
      expect(failures).toEqual([])
      const verdict = await run.verify()
      expect(verdict.faults).toEqual([])
      expect(verdict.events.acknowledged).toBeGreaterThan(0)
      if (parts.includes('postgres')) {
        expect(lines).toContainEqual(expect.stringMatching(/^PostgreSQL ended .* the disk of .* is full: 0 MB free/))
      }
    } finally {
      await stack.stop()
      await broker?.stop()
      directory.remove()
    }
  },
  600_000,
)

/** A broker whose data is in the folder `kafka` of the directory. Until the disk has room again, each start of it fails. */
async function startSmallBroker(directory: string, lines: string[]) {
  const dir = join(directory, 'kafka')
  const server = await startTestKafka({ dir })
  const say = (line: string) => void lines.push(line)
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

/** Readiness agrees with the answer to events, and names the disk when that is the reason. */
async function expectReady(stack: Stack, answer: string): Promise<void> {
  const [status, code] = answer.split(' ')
  const ready = await waitFor(
    async () => {
      const now = await readReady(stack)
      return String(now.status) === status && now
    },
    { deadlineMs: WAIT_MS, what: `readiness ${status}` },
  )
  if (code === undefined) return
  expect(ready.stream).toMatchObject({ error: code, details: { path: expect.any(String), free_bytes: 0 } })
}
