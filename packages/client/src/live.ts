import { startDeadline } from './deadline.js'
import { MillraceError } from './errors.js'
import { parseJson } from './parse-json.js'
import { readServerSentEvents, type ServerSentEvent } from './server-sent-events.js'
import { backoff, type Transport, type TransportDeps } from './transport.js'

/** The events of one second. */
export interface LiveCounts {
  /** Start of the second; null in the first message of a stream. */
  readonly time: string | null
  readonly events: number
  readonly by_event: Readonly<Record<string, number>>
  /** Everything accepted up to this time is stored. */
  readonly watermark: string | null
}

/** A ticket that opens live streams until it expires. */
export interface LiveTicket {
  readonly ticket: string
  readonly expires_at: string
  /** Address of the stream with the ticket in it, for EventSource. */
  readonly url: string
}

/** The server sends at least a comment every 15 s, so a longer silence means that the connection is gone. */
const SILENCE_MS_MAX = 45_000

/** A live stream of server-sent events with one name. */
export interface LiveStream {
  readonly path: string
  /** Name of the events whose data is wanted. */
  readonly event: string
  readonly signal: AbortSignal
}

/**
 * Yields the data of each event while the caller iterates. It reconnects with a pause after the connection broke, fell silent or ended with a retryable
 * error: after the last event if events have ids, else what came in between is missing. Throws MillraceError for other errors, such as a key without the
 * scope, and the reason of the signal when that is aborted.
 */
export async function* watchLive<T>(
  transport: Transport,
  { random, pause }: Pick<TransportDeps, 'random' | 'pause'>,
  stream: LiveStream,
): AsyncGenerator<T, void, undefined> {
  const { signal } = stream
  let lastId = ''
  for (let failures = 0; ; failures++) {
    let fault: MillraceError | undefined
    try {
      for await (const { id, data } of readEvents(transport, stream, lastId)) {
        failures = 0
        // Before the yield: the caller has the event from then on.
        if (id !== undefined) lastId = id
        yield parseJson<T>(data)
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof MillraceError) || !error.isRetryable) throw error
      fault = error
    }
    await pause(backoff(failures, fault?.retryAfterMs, random), signal)
  }
}

async function* readEvents(
  transport: Transport,
  { path, event: wanted, signal }: LiveStream,
  lastId: string,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const silence = startDeadline(SILENCE_MS_MAX, signal)
  try {
    const headers = { accept: 'text/event-stream', ...(lastId !== '' && { 'last-event-id': lastId }) }
    const response = await transport.open({ path, headers }, silence.signal)
    if (response.body === null) return
    for await (const event of readServerSentEvents(response.body, silence.restart)) {
      if (event.event === wanted) yield event
      else if (event.event === 'problem') throw toProblemError(event.data)
    }
  } catch (error) {
    throw silence.signal.aborted ? silence.signal.reason : toStreamError(error)
  } finally {
    silence.close()
  }
}

function toStreamError(error: unknown): unknown {
  if (error instanceof MillraceError) return error
  return new MillraceError('the connection of the live stream broke', {
    code: 'NETWORK_FAILED',
    status: 0,
    isRetryable: true,
    cause: error,
  })
}

function toProblemError(data: string): MillraceError {
  const problem = parseJson<{ detail: string; code: string; status: number; retryable: boolean; request_id?: string }>(
    data,
  )
  const { detail, code, status, retryable, request_id } = problem
  return new MillraceError(detail, { code, status, isRetryable: retryable, requestId: request_id })
}
