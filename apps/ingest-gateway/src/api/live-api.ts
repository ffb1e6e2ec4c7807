import { once } from 'node:events'
import { coreErrors, toProblem, type WatchLiveResponse } from '@millrace/contracts'
import type { Response } from 'express'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'

const HEARTBEAT_MS = 15_000
/** A client that reads nothing for this long is disconnected. */
const STALLED_MS = 30_000
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
}

/**
 * GET /api/v1/live: server-sent events named `counts` once a second, a comment every 15 s, and `problem` before the stream ends because of an
 * error. A slow client slows down only its own stream.
 */
export function addLiveApi(routes: ApiRoutes, deps: ApiDeps, { connectionsMax }: { connectionsMax: number }): void {
  let connections = 0
  routes.get('/api/v1/live', 'read', async (req, res, principal) => {
    if (req.method === 'HEAD') {
      // A stream without a body would only occupy one of the connections.
      res.writeHead(200, HEADERS).end()
      return
    }
    if (connections >= connectionsMax)
      throw coreErrors.DEPENDENCY_UNAVAILABLE({
        message: 'this gateway has its maximum number of live streams',
        retryAfterSeconds: 10,
      })
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
  res.writeHead(200, HEADERS)
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

/** Waits until the client has read what was written. Throws when `signal` is aborted or the client reads nothing for STALLED_MS. */
async function drained(res: Response, signal: AbortSignal): Promise<void> {
  // Not AbortSignal.timeout: `any` holds its signals weakly, and a timeout that was garbage-collected never fires.
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
