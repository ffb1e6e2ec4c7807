import { Readable } from 'node:stream'

/** How often a read goes on at the same byte without having received another one. */
const RESUMES_MAX = 2

export interface ReadPlan {
  /** The first answer of the server, from the byte `start` on. */
  readonly source: Readable
  readonly start: number
  /** The byte after the last one. */
  readonly end: number
  /** Asks for the same object from a later byte on. */
  reopen(start: number, signal: AbortSignal): Promise<Readable>
  toError(error: unknown): unknown
  readonly signal: AbortSignal | undefined
}

/**
 * The bytes of a plan. When the connection ends early, because the server was restarted or the reader took longer than
 * the time limit for one piece, it asks for the rest. Ends with an error unless all bytes arrive.
 */
export function readBody(plan: ReadPlan): Readable {
  const closing = new AbortController()
  let current = plan.source
  const follow = (source: Readable) => {
    current = source
    // An error between two reads, which nobody listens to; the read that follows gets it.
    source.on('error', () => undefined)
    return source
  }
  const bytes = readAll(plan, follow, closing.signal)
  const { signal } = plan
  const body = Readable.from(bytes, { objectMode: false, ...(signal !== undefined && { signal }) })
  // A body that is destroyed must give its connection back, also when it was never read.
  body.once('close', () => {
    closing.abort()
    current.destroy()
  })
  return body
}

async function* readAll(
  { source: first, start, end, reopen, toError }: ReadPlan,
  follow: (source: Readable) => Readable,
  closing: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let source = follow(first)
  let at = start
  let resumes = 0
  for (;;) {
    try {
      for await (const piece of source as AsyncIterable<Uint8Array>) {
        at += piece.length
        resumes = 0
        yield piece
      }
      if (at === end) return
      throw new Error(`${at - start} of ${end - start} bytes arrived`)
    } catch (error) {
      // With all bytes it is the checksum that is wrong.
      if (closing.aborted || at >= end || resumes++ >= RESUMES_MAX) throw toError(error)
      try {
        source = follow(await reopen(at, closing))
      } catch (reason) {
        throw toError(reason)
      }
    }
  }
}
