import { createMasker, createValueCopier } from '@millrace/masking'
import winston from 'winston'
import { createFdWriter } from './fd-writer.js'
import type { LineSink } from './line-sink.js'
import { LineTransport } from './line-transport.js'
import { currentContext } from './log-context.js'
import { type LogLevel, type LogThreshold, logLevels } from './log-level.js'
import { LogQueue, maskObjects, renameReserved } from './log-queue.js'
import type { LogFields, Logger, RootLogger } from './logger.js'
import { maskFormat } from './mask-format.js'
import { type SamplingRule, sampleFormat } from './sample-format.js'
import { createLineShipper, type LineShipper, type ShippingConfig } from './ship-lines.js'
import type { ShippingCounts } from './shipping-counts.js'

/** Settings of `createLogger`; only the name of the service is required. */
export interface LoggerConfig {
  /** Name of the service, on every line. */
  readonly service: string
  /** Less severe lines are dropped. Default `info`. */
  readonly level?: LogThreshold
  /** Field names whose values are masked, besides the default ones of @millrace/masking. */
  readonly maskFields?: readonly string[]
  /** Number of waiting lines that are written at once. Default 256. */
  readonly flushLines?: number
  /** How long a line waits at most, in ms. Default 100. */
  readonly flushMs?: number
  /** Lines a second of one message and endpoint that are written; the next line carries the number of dropped ones. 0 writes all. Default 100. */
  readonly samplePerSecond?: number
  /** Other limits for some routes and levels; the first rule that fits a line counts, `samplePerSecond` when none does. */
  readonly sampling?: readonly SamplingRule[]
  /** Whether lines go to standard output. Default true. */
  readonly stdout?: boolean
  /** Sends lines to log-shipper as well. Default: they are not sent. */
  readonly shipTo?: ShippingConfig
}

/** Output and clock of the logger, for tests and command-line programs. */
export interface LoggerDeps {
  /** Takes whole lines that end in a newline; must not throw. Default: standard output. */
  readonly write?: (lines: string) => void
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number
}

/** Limits of an object in one line: levels, entries of each object. */
const copyObject = createValueCopier({ depth: 8, items: 200 })
const TEXT_LENGTH_MAX = 32_768

/**
 * The logger of one process. It writes JSON lines through winston: masked, buffered, and flushed when the process ends by `process.exit`, by an uncaught
 * error or by running out of work. SIGKILL loses what is buffered (at most `flushMs`); `fatal`, `audit` and `security` are never buffered.
 */
export function createLogger(config: LoggerConfig & LoggerDeps): RootLogger {
  const { level = 'info' } = config
  const masker = createMasker({ fieldNames: config.maskFields ?? [], limits: { textLength: TEXT_LENGTH_MAX } })
  const shipper = config.shipTo === undefined ? undefined : createLineShipper(config.shipTo)
  const transport = new LineTransport([...outputOf(config), ...(shipper === undefined ? [] : [shipper])])
  const root = winston.createLogger({
    levels: logLevels,
    level,
    format: winston.format.combine(
      sampleFormat(config.samplePerSecond ?? 100, config.sampling),
      maskFormat(masker),
      winston.format.printf(({ timestamp, level, message, ...fields }) =>
        JSON.stringify({ timestamp, level, message, ...fields }),
      ),
    ),
    transports: [transport],
  })
  const mask = (name: string, value: object) => masker.field(name, value)
  const queue = new LogQueue(
    { flushLines: config.flushLines ?? 256, flushMs: config.flushMs ?? 100 },
    { mask, onFlushed: () => transport.flush() },
  )
  const now = config.now ?? Date.now
  const shared: Shared = { root, threshold: logLevels[level], mask, queue, transport, shipper, now }
  return new QueuedRootLogger(shared, root.child({ service: config.service }))
}

function outputOf({ write, stdout = true }: LoggerConfig & LoggerDeps): LineSink[] {
  if (write !== undefined) return [{ write: (lines) => write(lines), finish: () => undefined }]
  return stdout ? [createFdWriter(process.stdout.fd)] : []
}

interface Shared {
  readonly root: winston.Logger
  /** The number of the root's level, so that a disabled call costs one comparison. */
  threshold: number
  readonly mask: (name: string, value: object) => unknown
  readonly queue: LogQueue
  readonly transport: LineTransport
  readonly shipper: LineShipper | undefined
  readonly now: () => number
}

class QueuedLogger implements Logger {
  protected readonly shared: Shared
  readonly #winston: winston.Logger

  constructor(shared: Shared, logger: winston.Logger) {
    this.shared = shared
    this.#winston = logger
  }

  debug(message: string, fields?: LogFields): void {
    if (this.shared.threshold >= logLevels.debug) this.#add('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    if (this.shared.threshold >= logLevels.info) this.#add('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    if (this.shared.threshold >= logLevels.warn) this.#add('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    if (this.shared.threshold >= logLevels.error) this.#add('error', message, fields)
  }

  fatal(message: string, fields?: LogFields): void {
    this.#add('fatal', message, fields)
  }

  audit(message: string, fields?: LogFields): void {
    this.#add('audit', message, fields)
  }

  security(message: string, fields?: LogFields): void {
    this.#add('security', message, fields)
  }

  child(fields: LogFields): Logger {
    const masked = maskObjects(copyFields(fields), this.shared.mask)
    return new QueuedLogger(this.shared, this.#winston.child(renameReserved(masked)))
  }

  isEnabled(level: LogLevel): boolean {
    return this.shared.threshold >= logLevels[level]
  }

  #add(level: LogLevel, message: string, fields: LogFields | undefined): void {
    const { now, queue } = this.shared
    queue.add({
      logger: this.#winston,
      timeMs: now(),
      level,
      message,
      context: currentContext(),
      fields: fields === undefined ? undefined : copyFields(fields),
    })
    if (logLevels[level] < logLevels.error) queue.flush()
  }
}

class QueuedRootLogger extends QueuedLogger implements RootLogger {
  readonly #onExit = () => this.close()

  constructor(shared: Shared, logger: winston.Logger) {
    super(shared, logger)
    process.on('exit', this.#onExit)
  }

  get level(): LogThreshold {
    return this.shared.root.level as LogThreshold
  }

  setLevel(level: LogThreshold): void {
    // Waiting lines were logged under the old level.
    this.shared.queue.flush()
    this.shared.root.level = level
    this.shared.threshold = logLevels[level]
  }

  flush(): void {
    this.shared.queue.flush()
  }

  get shipping(): ShippingCounts | undefined {
    return this.shared.shipper?.counts
  }

  async drained(timeoutMs = 5_000): Promise<void> {
    this.flush()
    await this.shared.shipper?.drained(timeoutMs)
  }

  close(): void {
    this.shared.queue.close()
    this.shared.transport.finish()
    process.removeListener('exit', this.#onExit)
  }
}

/** A copy that later changes of the caller's objects do not reach. It is masked when the line is written, because masking costs more than the call may. */
function copyFields(fields: LogFields): LogFields {
  // The spread is much quicker than a copy name by name.
  const copy: Record<string, unknown> = { ...fields }
  for (const name in copy) {
    const value = copy[name]
    if (typeof value === 'object' && value !== null) copy[name] = copyObject(value)
  }
  return copy
}
