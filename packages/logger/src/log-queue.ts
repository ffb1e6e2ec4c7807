import type { Logger as WinstonLogger } from 'winston'
import type { LogContext } from './log-context.js'
import type { LogLevel } from './log-level.js'
import type { LogFields } from './logger.js'

/** One call of a logger, kept until its line is written. */
interface LogEntry {
  /** The winston logger, or the child of it, that was called. */
  readonly logger: WinstonLogger
  readonly timeMs: number
  readonly level: LogLevel
  readonly message: string
  readonly context: LogContext | undefined
  /** Not masked yet. Objects are copies. */
  readonly fields: LogFields | undefined
}

interface LogQueueConfig {
  /** Entries that are written at once. */
  readonly flushLines: number
  /** How long the oldest entry waits at most. */
  readonly flushMs: number
}

interface LogQueueDeps {
  /** Masks an object. Texts and numbers are masked by winston's format. */
  readonly mask: (name: string, value: object) => unknown
  /** Called when winston has taken all entries. */
  readonly onFlushed: () => void
}

/** A loop that logs and never yields is made to write its lines itself at this number, so that the memory stays bounded. */
const ENTRIES_MAX = 16_384

/**
 * Keeps what was logged and hands it to winston in groups: masking and formatting a line costs a hundred times as much as the call, so callers do
 * not wait for it (docs/decisions/0019).
 */
export class LogQueue {
  readonly #config: LogQueueConfig
  readonly #deps: LogQueueDeps
  #entries: LogEntry[] = []
  #timer: NodeJS.Timeout | undefined
  #turn: NodeJS.Immediate | undefined
  #isClosed = false

  constructor(config: LogQueueConfig, deps: LogQueueDeps) {
    this.#config = config
    this.#deps = deps
  }

  add(entry: LogEntry): void {
    this.#entries.push(entry)
    if (this.#isClosed || this.#entries.length >= ENTRIES_MAX) this.flush()
    // Not in this call: it would pay for the lines of all calls before it.
    else if (this.#entries.length >= this.#config.flushLines) this.#turn ??= setImmediate(() => this.flush())
    // The timer does not keep the process alive: the exit event flushes.
    else this.#timer ??= setTimeout(() => this.flush(), this.#config.flushMs).unref()
  }

  flush(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#turn)
    this.#timer = this.#turn = undefined
    const entries = this.#entries
    if (entries.length === 0) return
    this.#entries = []
    for (const entry of entries) entry.logger.write(toInfo(entry, this.#deps.mask))
    this.#deps.onFlushed()
  }

  /** Flushes now and at each later call of `add`. */
  close(): void {
    this.#isClosed = true
    this.flush()
  }
}

/** Names that the logger or winston gives a meaning; a caller's field of the same name is renamed. */
const RESERVED = new Set(['timestamp', 'level', 'message', 'service', 'exception'])

/** Renames fields with reserved names to `field_…` and leaves out undefined ones. */
export function renameReserved(fields: LogFields): Record<string, unknown> {
  const renamed: Record<string, unknown> = {}
  for (const name in fields) {
    if (fields[name] !== undefined) renamed[RESERVED.has(name) ? `field_${name}` : name] = fields[name]
  }
  return renamed
}

/** The entry in winston's form; the child's own fields are added by winston. */
function toInfo(
  { level, message, timeMs, context, fields }: LogEntry,
  mask: LogQueueDeps['mask'],
): Record<string, unknown> {
  return {
    level,
    message: String(message),
    timestamp: new Date(timeMs).toISOString(),
    ...(context?.traceId !== undefined && { trace_id: context.traceId }),
    ...(context?.spanId !== undefined && { span_id: context.spanId }),
    ...(context?.requestId !== undefined && { request_id: context.requestId }),
    ...(context?.tenant !== undefined && { tenant: context.tenant }),
    ...(context?.userId !== undefined && { user_id: context.userId }),
    ...(context?.sessionId !== undefined && { session_id: context.sessionId }),
    ...(fields !== undefined && renameReserved(maskObjects(fields, mask))),
  }
}

/** The fields with their objects masked. */
export function maskObjects(fields: LogFields, mask: LogQueueDeps['mask']): LogFields {
  const masked: Record<string, unknown> = { ...fields }
  for (const name in masked) {
    const value = masked[name]
    if (typeof value === 'object' && value !== null) masked[name] = mask(name, value)
  }
  return masked
}
