import { setTimeout as delay } from 'node:timers/promises'
import { type Server, type Supervised, waitFor } from '@millrace/local-stack'
import type { TcpProxy } from '@millrace/testing'
import { retryAfterSeconds, WireConnection, type WireResponse } from '../load/wire-connection.js'
import type { ChaosRun } from './chaos-run.js'

export interface OutageReport {
  /** Batches acknowledged in each third of the outage. */
  acknowledged: number[]
  /** Number of answers to reads during the outage, by status code and, for 503, whether they had Retry-After. */
  reads: Record<string, number>
  /** From the end of the outage until the backlog was stored, in milliseconds. */
  caughtUpMs: number
}

const EXTRA_MS_MAX = 30_000

/** A fault that lasts for a while. */
export interface Outage {
  /** Completes "while …", for example "PostgreSQL is down". */
  readonly name: string
  begin(): Promise<unknown>
  end(): Promise<unknown>
}

/** The server is killed, and started again at the end. */
export function downOutage({ server, takeDown, bringUp }: Supervised): Outage {
  return { name: `${server.name} is down`, begin: () => takeDown('SIGKILL'), end: bringUp }
}

/** The server keeps its connections and does not answer. */
export function frozenOutage({ name, pause, resume }: Server): Outage {
  return { name: `${name} is frozen`, begin: pause, end: resume }
}

/** The network loses what one side sends. Connections that lost bytes stay dead, and nobody closes them. */
export function cutOutage(name: string, proxy: TcpProxy, lost: 'requests' | 'answers'): Outage {
  const mode = lost === 'requests' ? 'swallow-requests' : 'swallow-answers'
  return { name: `the ${lost} of ${name} are lost`, begin: () => proxy.set(mode), end: () => proxy.set('pass') }
}

/** Causes an outage under load, reads all the time, and waits until everything is stored. */
export async function runOutage(run: ChaosRun, { name, begin, end }: Outage, lastsMs: number): Promise<OutageReport> {
  const acknowledged: number[] = []
  const reads: Record<string, number> = {}
  await run.underLoad(async (load) => {
    run.outages++
    run.say(`${name} for ${lastsMs / 1000} s`)
    await begin()
    for (let third = 0; third < 3; third++) {
      const before = load.acknowledged()
      const until = performance.now() + lastsMs / 3
      // Longer only when the machine is so slow that no batch has been acknowledged yet.
      while (
        performance.now() < until ||
        (load.acknowledged() === before && performance.now() < until + EXTRA_MS_MAX)
      ) {
        const answer = await readEvents(run)
        reads[answer] = (reads[answer] ?? 0) + 1
        await delay(Math.min(250, lastsMs / 20))
      }
      acknowledged.push(load.acknowledged() - before)
    }
    await end()
    await load.progress(50)
  })
  const endedAt = performance.now()
  await run.verify()
  const report = { acknowledged, reads, caughtUpMs: Math.round(performance.now() - endedAt) }
  run.say(`after ${name}: ${JSON.stringify(report)}`)
  return report
}

async function readEvents({ stack }: ChaosRun): Promise<string> {
  try {
    const response = await fetch(`${stack.url}/api/v1/events?limit=1`, {
      headers: { authorization: `Bearer ${stack.adminKey}` },
      signal: AbortSignal.timeout(60_000),
    })
    await response.arrayBuffer()
    return response.status === 503 && response.headers.get('retry-after') === null
      ? '503 without Retry-After'
      : String(response.status)
  } catch (error) {
    return `broken: ${(error as Error).name}`
  }
}

export interface QuotaReport {
  refused: { status: number; retryAfterSeconds: number | undefined; code: string }
  /** Batches acknowledged into the spool before it was full. */
  acknowledgedBefore: number
}

/** Takes the server of the stream down until the spool is full and the gateway refuses; then brings it back and waits until all is stored. */
export async function runSpoolQuota(run: ChaosRun): Promise<QuotaReport> {
  const stream = run.stream
  return await run.underLoad(
    async (load) => {
      run.outages++
      await stream.takeDown('SIGKILL')
      const before = load.acknowledged()
      const refused = await waitFor(() => sendOne(run), {
        deadlineMs: 120_000,
        intervalMs: 100,
        what: 'a refusal by a full spool',
      })
      const acknowledgedBefore = load.acknowledged() - before
      await stream.bringUp()
      await load.progress(50)
      const problem = JSON.parse(refused.body) as { code?: string }
      run.say(`the spool was full after ${acknowledgedBefore} batches: ${refused.status} ${problem.code}`)
      return {
        acknowledgedBefore,
        refused: { status: refused.status, retryAfterSeconds: retryAfterSeconds(refused), code: problem.code ?? '' },
      }
    },
    { thinkMs: 0, batchEvents: 100 },
  )
}

/** Sends one event. Returns the answer unless it is 200. A refused event leaves no trace; an accepted one adds a row. */
async function sendOne({ stack }: ChaosRun): Promise<WireResponse | undefined> {
  const body = JSON.stringify({ batch: [{ type: 'track', event: 'Quota', userId: 'quota' }] })
  const wire = new WireConnection(stack.url)
  try {
    const answer = await wire.send(
      `POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${stack.writeKey}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      60_000,
    )
    return answer.status === 200 ? undefined : answer
  } finally {
    wire.close()
  }
}
