import { once } from 'node:events'
import { requireScope } from '@millrace/auth'
import { coreErrors, toProblem, type WatchLiveResponse } from '@millrace/contracts'
import type { Express, Response } from 'express'
import { type ApiDeps, onBehalfOf } from './api-deps.js'

const HEARTBEAT_MS = 15_000
/** A client that takes nothing for so long is cut off. */
const STALLED_MS = 30_000

/**
 * GET /api/v1/live: server-sent events, `counts` once a second, a comment every 15 s, `problem` before the stream ends by a fault.
 * A slow client slows its own call down, and nobody else's.
 */
export function addLiveApi(app: Express, deps: ApiDeps, { connectionsMax }: { connectionsMax: number }): void {
  let connections = 0
  app.get('/api/v1/live', async (req, res) => {
    const principal = await deps.identify(req)
    requireScope(principal, 'read')
    if (connections >= connectionsMax)
      throw coreErrors.DEPENDENCY_UNAVAILABLE({ message: 'there are too many live streams', retryAfterSeconds: 10 })
    connections++
    const closed = new AbortController()
    const signal = AbortSignal.any([closed.signal, deps.stopping])
    res.once('close', () => closed.abort())
    try {
      begin(res)
      await forward(res, deps.consumer.watchLive({}, { ...onBehalfOf(principal), signal }), signal)
    } finally {
      connections--
      res.end()
    }
  })
}

function begin(res: Response): void {
  res.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  })
  res.write('retry: 2000\n\n')
}

async function forward(res: Response, updates: AsyncIterable<WatchLiveResponse>, signal: AbortSignal): Promise<void> {
  const heartbeat = setInterval(() => res.writableNeedDrain || res.write(':\n\n'), HEARTBEAT_MS)
  try {
    for await (const update of updates) {
      if (signal.aborted) return
      const isTaken = res.write(`event: counts\ndata: ${toJson(update)}\n\n`)
      if (!isTaken) await drained(res, signal)
    }
  } catch (error) {
    if (!signal.aborted) res.write(`event: problem\ndata: ${JSON.stringify(toProblem(error))}\n\n`)
  } finally {
    clearInterval(heartbeat)
  }
}

/** @throws when `signal` is aborted, or the client has taken nothing for too long. */
async function drained(res: Response, signal: AbortSignal): Promise<void> {
  // Not AbortSignal.timeout: `any` holds it weakly, and one that is collected never fires.
  const stalled = new AbortController()
  const timer = setTimeout(() => stalled.abort(), STALLED_MS)
  try {
    await once(res, 'drain', { signal: AbortSignal.any([signal, stalled.signal]) })
  } finally {
    clearTimeout(timer)
  }
}

function toJson({ time, events, byEvent, watermark }: WatchLiveResponse): string {
  const counts = Object.fromEntries(Object.entries(byEvent).map(([event, count]) => [event, Number(count)]))
  return JSON.stringify({ time: time ?? null, events: Number(events), by_event: counts, watermark: watermark ?? null })
}
