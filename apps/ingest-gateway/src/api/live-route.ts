import { once } from 'node:events'
import { authErrors, requireScope } from '@millrace/auth'
import { coreErrors, toProblem } from '@millrace/contracts'
import type { Request, Response } from 'express'
import { errors } from '../errors.js'
import { isKeyValid } from '../live/key-watch.js'
import type { TicketHolder } from '../live/live-tickets.js'
import type { ApiDeps } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'

const HEARTBEAT_MS = 15_000
/** A client that reads nothing for this long is disconnected. */
const STALLED_MS = 30_000
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
}

/** How many live streams this gateway has open, of all kinds. */
export interface LiveConnections {
  open: number
  readonly max: number
}

/** What a live stream of server-sent events needs. */
export interface LiveRoute {
  readonly path: string
  readonly connections: LiveConnections
  /** The events as texts of the form that `serverSentEvent` makes. Errors before the first one are answered as problems. */
  readonly open: (req: Request, holder: TicketHolder, signal: AbortSignal) => AsyncIterable<string>
}

/**
 * Adds a route that answers with server-sent events: a comment every 15 s, and `problem` before the stream ends because of an error. A slow client slows
 * down only its own stream. The caller has a read key, or a ticket in the URL. A stream ends within 15 s after its key was revoked or has expired.
 */
export function addLiveRoute(routes: ApiRoutes, deps: ApiDeps, { path, connections, open }: LiveRoute): void {
  routes.get(path, createAdmit(deps), async (req, res, principal) => {
    if (req.method === 'HEAD') {
      // A stream without a body would only occupy one of the connections.
      res.writeHead(200, HEADERS).end()
      return
    }
    if (connections.open >= connections.max)
      throw coreErrors.DEPENDENCY_UNAVAILABLE({
        message: 'this gateway has its maximum number of live streams',
        retryAfterSeconds: 10,
      })
    const closed = new AbortController()
    const signal = AbortSignal.any([closed.signal, deps.stopping])
    const events = open(req, principal, signal)
    connections.open++
    res.once('close', () => closed.abort())
    const stopChecking = checkKey(res, { isValid: () => isKeyValid(principal, deps), end: () => closed.abort() })
    try {
      begin(res)
      await forward(res, events, signal)
    } finally {
      stopChecking()
      connections.open--
      res.end()
    }
  })
}

/** One event of a stream. With an id, a client that reconnects sends the id of the last event that it got. */
export function serverSentEvent(name: string, json: string, id?: string): string {
  return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${json}\n\n`
}

/** Finds the caller by its key, or by a ticket. */
function createAdmit(deps: ApiDeps): (req: Request) => Promise<TicketHolder> {
  return async function admit(req) {
    const { ticket } = req.query
    if (ticket === undefined) {
      const principal = await deps.identify(req)
      requireScope(principal, 'read')
      return principal
    }
    if (req.headers.authorization !== undefined)
      throw errors.INVALID_REQUEST({
        message: 'the request has an Authorization header and a ticket: send one of them',
        details: { field: 'ticket' },
      })
    const holder = typeof ticket === 'string' ? await deps.tickets.find(ticket) : undefined
    if (holder === undefined || !(await isKeyValid(holder, deps))) throw errors.LIVE_TICKET_INVALID()
    return holder
  }
}

/** Ends a stream when its key is no longer valid. Returns what stops the checks. */
function checkKey(res: Response, { isValid, end }: { isValid: () => Promise<boolean>; end: () => void }): () => void {
  const timer = setInterval(() => {
    void isValid().then((valid) => {
      if (valid || res.writableEnded) return
      if (!res.writableNeedDrain) res.write(toProblemEvent(authErrors.KEY_INVALID()))
      end()
    })
  }, HEARTBEAT_MS)
  return () => clearInterval(timer)
}

function begin(res: Response): void {
  res.writeHead(200, HEADERS)
  res.write('retry: 2000\n\n')
}

async function forward(res: Response, events: AsyncIterable<string>, signal: AbortSignal): Promise<void> {
  const heartbeat = setInterval(() => res.writableNeedDrain || res.write(':\n\n'), HEARTBEAT_MS)
  try {
    for await (const event of events) {
      if (signal.aborted) return
      if (!res.write(event)) await drained(res, signal)
    }
  } catch (error) {
    if (!signal.aborted) res.write(toProblemEvent(error))
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

function toProblemEvent(error: unknown): string {
  return serverSentEvent('problem', JSON.stringify(toProblem(error)))
}
