import type { RecordBatchBuilder } from '@millrace/contracts'
import type { Producer } from '@millrace/streams'
import { EventAppender, type FrameRecords } from './event-appender.js'
import type { EventNames } from './event-catalog.js'
import { ROW_WORDS } from './event-table.js'
import { EventValidator, type RequestContext, type ValidatorLimits } from './event-validator.js'
import { type Rejection, rejectionReasons } from './rejections.js'
import type { ParsedRequest, RequestParser } from './request-parser.js'

export interface AcceptorDeps {
  readonly parser: RequestParser
  readonly producer: Producer<RecordBatchBuilder>
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly newMessageId: () => string
}

/** What became of the events of one request. */
export interface Acceptance {
  readonly accepted: number
  readonly rejected: readonly Rejection[]
  /** The frames that carry the accepted records. */
  readonly frames: readonly FrameRecords[]
  /** Message id of each event in order, null for a rejected event without one; undefined unless asked for. */
  readonly messageIds: readonly (string | null)[] | undefined
}

/** What the caller wants to know besides the acceptance. */
export interface AcceptOptions {
  /** Whether the acceptance lists the message ids. */
  readonly wantsMessageIds: boolean
  /** What the request says about the device of the user. */
  readonly client?: RequestContext['client']
  /** Called for each rejected event, whose row is in the parser's table until it returns. */
  readonly onRejected?: (rejection: Rejection, row: number, context: RequestContext) => void
}

/** What is collected while the events of one request are validated. */
interface Results {
  readonly firstRow: number
  readonly names: EventNames
  readonly rejected: Rejection[]
  readonly messageIds: (string | null)[] | undefined
  readonly onRejected: AcceptOptions['onRejected']
}

/** Validates the events of a parsed request and appends the valid ones to the stream's open batches, all within one tick. */
export class EventAcceptor {
  readonly #deps: AcceptorDeps
  readonly #validator: EventValidator
  readonly #appender: EventAppender

  constructor(limits: ValidatorLimits, deps: AcceptorDeps) {
    this.#deps = deps
    const { text, table, scanner } = deps.parser
    this.#validator = new EventValidator(limits, { text, table, scanner, newMessageId: deps.newMessageId })
    this.#appender = new EventAppender(deps.producer)
  }

  /**
   * Accepts or rejects each event.
   * @throws INTERNAL when `parsed` is stale, or what the producer throws when it takes no more; then nothing may be acknowledged
   */
  accept(parsed: ParsedRequest, tenantId: number, { wantsMessageIds, client, onRejected }: AcceptOptions): Acceptance {
    const { format, catalog, firstRow, pathType } = this.#deps.parser.claim(parsed)
    const { table } = this.#deps.parser
    const receivedAtMs = this.#deps.now()
    const envelope = firstRow === 0 ? -1 : 0
    const context: RequestContext = { tenantId, format, receivedAtMs, envelope, pathType, client }
    const messageIds: (string | null)[] | undefined = wantsMessageIds ? [] : undefined
    const results: Results = { firstRow, names: catalog.names(tenantId), rejected: [], messageIds, onRejected }
    this.#validator.begin(context)
    try {
      for (let i = firstRow; i < table.rows; i++) this.#acceptRow(i, context, results)
    } catch (error) {
      this.#appender.abandon(tenantId)
      throw error
    }
    const { rejected } = results
    const frames = this.#appender.finish(tenantId, rejected.length)
    return { accepted: table.rows - firstRow - rejected.length, rejected, frames, messageIds }
  }

  #acceptRow(row: number, context: RequestContext, results: Results): void {
    const { firstRow, names, rejected, messageIds } = results
    const validator = this.#validator
    const code = validator.validate(row * ROW_WORDS, context)
    if (code === undefined) {
      this.#appender.append(validator, names)
      messageIds?.push(validator.messageId)
      return
    }
    const messageId = validator.rejectedMessageId
    messageIds?.push(messageId)
    const reason = validator.detail ?? context.format.reasons[code] ?? rejectionReasons[code]
    const rejection: Rejection = { index: row - firstRow, messageId, code, reason }
    rejected.push(rejection)
    results.onRejected?.(rejection, row, context)
  }
}
