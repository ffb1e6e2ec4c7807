import type { KeyVerifier, Principal } from '@millrace/auth'
import type { MillraceError } from '@millrace/contracts'
import type { IntakeRequest } from '@millrace/http-intake'
import type { Rejection } from '../events/rejections.js'
import type { IngestMetrics } from '../metrics.js'
import type { Wire } from '../wires/wire.js'
import type { RejectedEvent } from './rejected-event.js'
import { isRequestCode } from './rejection-codes.js'
import { DRAFT_BYTES_MAX, NO_EVENT, type RejectionDraft } from './rejection-draft.js'
import type { RejectionRecorder } from './rejection-recorder.js'

/** The request that rejections belong to. */
interface RejectedIn {
  readonly request: IntakeRequest
  /** Name of the wire. */
  readonly wire: string
  readonly principal: Principal
}

type Recorder = Pick<RejectionRecorder, 'sample' | 'keep'>

/**
 * Notes the rejected events of one request. `note` is called while they are validated. `keep` is called when the request is acknowledged: a client
 * sends a request again that was not, and its rejections would be kept twice.
 */
export class EventRejections {
  readonly #recorder: Recorder
  readonly #in: RejectedIn
  #drafts: RejectionDraft[] | undefined

  constructor(recorder: Recorder, rejectedIn: RejectedIn) {
    this.#recorder = recorder
    this.#in = rejectedIn
  }

  note({ code, reason, index, messageId }: Rejection, event: RejectedEvent): void {
    const { request, wire, principal } = this.#in
    const omitted = this.#recorder.sample(principal.tenantId, code)
    if (omitted === undefined) return
    this.#drafts ??= []
    this.#drafts.push({
      ...commonOf(request, wire, principal),
      scope: 'event',
      code,
      reason,
      index,
      event: { ...event.head(), ...(messageId !== null && { messageId }) },
      bytes: event.bytes(),
      size: event.size(),
      omitted,
    })
  }

  keep(): void {
    for (const draft of this.#drafts ?? []) this.#recorder.keep(draft)
  }
}

/** Codes of bodies that are not what the client wrote: still compressed, or not received. */
const UNREADABLE = new Set(['UNSUPPORTED_ENCODING', 'CORRUPT_ENCODING', 'BODY_TOO_LARGE', 'SCOPE_MISSING'])

/** Keeps the refusal of a whole request, if its code is one of those that are kept. */
function noteRefusal(recorder: Recorder, { request, wire, principal }: RejectedIn, error: MillraceError): void {
  const { code } = error
  if (!isRequestCode(code)) return
  const omitted = recorder.sample(principal.tenantId, code)
  if (omitted === undefined) return
  recorder.keep({
    ...commonOf(request, wire, principal),
    scope: 'request',
    code,
    reason: error.message,
    index: null,
    event: NO_EVENT,
    bytes: UNREADABLE.has(code) ? undefined : firstBytes(request.chunks),
    size: request.bytes,
    omitted,
  })
}

function commonOf(request: IntakeRequest, wire: string, { tenantId }: Principal) {
  const userAgent = request.headers['user-agent'] ?? null
  return { tenantId, atMs: Date.now(), wire, path: request.path, userAgent }
}

function firstBytes(chunks: readonly Buffer[]): Buffer | undefined {
  if (chunks.length === 0) return undefined
  // A copy, because the chunks are parts of larger buffers that would be kept with it.
  return Buffer.from(Buffer.concat(chunks.slice(0, 8)).subarray(0, DRAFT_BYTES_MAX))
}

export interface RefusalDeps {
  readonly recorder: Recorder
  readonly verifier: Pick<KeyVerifier, 'verify'>
  readonly metrics: Pick<IngestMetrics, 'refused'>
  readonly wires: readonly Wire[]
}

/** The `onRefused` of the intake: counts each refused request, and keeps it in the list of rejections if its caller is known. */
export function createOnRefused({ recorder, verifier, metrics, wires }: RefusalDeps) {
  const names = new Map(wires.flatMap(({ name, routes }) => routes.map(({ path }) => [path, name])))
  return function onRefused(request: IntakeRequest, error: MillraceError): void {
    metrics.refused(error.code)
    if (!isRequestCode(error.code)) return
    const wire = names.get(request.path) ?? ''
    if (request.caller !== undefined) {
      noteRefusal(recorder, { request, wire, principal: request.caller }, error)
      return
    }
    // A request that is refused by its headers is not delayed until its key was looked up.
    findCaller(request, verifier)
      .then((principal) => noteRefusal(recorder, { request, wire, principal }, error))
      .catch(() => undefined)
  }
}

/** Rejects when the key is unknown or cannot be looked up. */
async function findCaller(request: IntakeRequest, verifier: Pick<KeyVerifier, 'verify'>): Promise<Principal> {
  return await verifier.verify(request.headers.authorization)
}
