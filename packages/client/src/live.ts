import { startDeadline } from './deadline.js'
import { MillraceError } from './errors.js'
import { parseJson } from './parse-json.js'
import { readServerSentEvents } from './server-sent-events.js'
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

/**
 * Yields the counts of each second while the caller iterates. It reconnects with a pause after the connection broke, fell silent or ended with a
 * retryable error; the counts in between are missing. Throws MillraceError for other errors, such as a key without the scope, and the reason of
 * the signal when that is aborted.
 */
export async function* watchLive(
  transport: Transport,
  { random, pause }: Pick<TransportDeps, 'random' | 'pause'>,
  signal: AbortSignal,
): AsyncGenerator<LiveCounts, void, undefined> {
  for (let failures = 0; ; failures++) {
    let fault: MillraceError | undefined
    try {
      for await (const counts of readCounts(transport, signal)) {
        failures = 0
        yield counts
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof MillraceError) || !error.isRetryable) throw error
      fault = error
    }
    await pause(backoff(failures, fault?.retryAfterMs, random), signal)
  }
}

async function* readCounts(transport: Transport, signal: AbortSignal): AsyncGenerator<LiveCounts, void, undefined> {
  const silence = startDeadline(SILENCE_MS_MAX, signal)
  try {
    const response = await transport.open(
      { path: '/api/v1/live', headers: { accept: 'text/event-stream' } },
      silence.signal,
    )
    if (response.body === null) return
    for await (const { event, data } of readServerSentEvents(response.body, silence.restart)) {
      if (event === 'counts') yield parseJson<LiveCounts>(data)
      else if (event === 'problem') throw toProblemError(data)
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
