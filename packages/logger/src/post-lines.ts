import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest, Agent as SecureAgent } from 'node:https'

interface PostRequest {
  readonly url: URL
  readonly writeKey: string
  readonly body: Buffer
  readonly timeoutMs: number
}

/** How log-shipper has answered. `refused`: the same lines will never be taken. `failed`: they may be taken later. */
export type PostAnswer =
  | { readonly kind: 'acknowledged'; readonly rejected: number }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string; readonly retryAfterMs?: number | undefined }

const ANSWER_BYTES_MAX = 65_536
const RETRY_AFTER_MS_MAX = 60_000

const agents = {
  'http:': new Agent({ keepAlive: true, maxSockets: 4 }),
  'https:': new SecureAgent({ keepAlive: true, maxSockets: 4 }),
}

/** Sends lines as NDJSON. Never rejects; ends within `timeoutMs`, however slow the other side is. Does not keep the process running. */
export function postLines({ url, writeKey, body, timeoutMs }: PostRequest): Promise<PostAnswer> {
  return new Promise((resolve) => {
    const isSecure = url.protocol === 'https:'
    const options = {
      method: 'POST',
      agent: agents[isSecure ? 'https:' : 'http:'],
      headers: {
        'content-type': 'application/x-ndjson',
        'content-length': body.length,
        authorization: `Bearer ${writeKey}`,
      },
    }
    let request: ClientRequest
    const settle = (answer: PostAnswer) => {
      clearTimeout(timer)
      resolve(answer)
    }
    const timer = setTimeout(() => {
      settle({ kind: 'failed', reason: `no answer within ${timeoutMs} ms` })
      request.destroy()
    }, timeoutMs).unref()
    const onAnswer = (answer: IncomingMessage) => readAnswer(answer, settle)
    request = isSecure ? httpsRequest(url, options, onAnswer) : httpRequest(url, options, onAnswer)
    request.on('socket', (socket) => socket.unref())
    request.on('error', (error: NodeJS.ErrnoException) =>
      settle({ kind: 'failed', reason: error.code ?? error.message }),
    )
    request.end(body)
  })
}

/** Closes connections that wait for the next request. */
export function closeConnections(): void {
  for (const agent of Object.values(agents)) agent.destroy()
}

function readAnswer(answer: IncomingMessage, settle: (answer: PostAnswer) => void): void {
  let text = ''
  answer.setEncoding('utf8')
  answer.on('data', (part: string) => {
    if (text.length < ANSWER_BYTES_MAX) text += part
  })
  answer.on('error', (error: NodeJS.ErrnoException) => settle({ kind: 'failed', reason: error.code ?? error.message }))
  answer.on('aborted', () => settle({ kind: 'failed', reason: 'the answer ended early' }))
  answer.on('end', () => settle(answerOf(answer, text)))
}

function answerOf({ statusCode = 0, headers }: IncomingMessage, text: string): PostAnswer {
  if (statusCode >= 200 && statusCode < 300) return { kind: 'acknowledged', rejected: rejectedOf(text) }
  const reason = `it answers with status ${statusCode}`
  // A wrong key and a missing route can be repaired; a body that is invalid or too large cannot.
  if (statusCode === 400 || statusCode === 413 || statusCode === 422) return { kind: 'refused', reason }
  const seconds = Number(headers['retry-after'])
  const retryAfterMs = Number.isFinite(seconds) ? Math.min(Math.max(0, seconds * 1000), RETRY_AFTER_MS_MAX) : undefined
  return { kind: 'failed', reason, retryAfterMs }
}

/** The number of single lines that were not taken. */
function rejectedOf(text: string): number {
  try {
    const rejected: unknown = (JSON.parse(text) as { rejected?: unknown } | null)?.rejected
    return typeof rejected === 'number' ? rejected : Array.isArray(rejected) ? rejected.length : 0
  } catch {
    return 0
  }
}
