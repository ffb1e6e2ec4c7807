import { LineBuffer } from './line-buffer.js'
import { LineSampler } from './line-sampler.js'
import { currentContext } from './log-context.js'
import { type LogLevel, type LogThreshold, logLevelRanks } from './log-level.js'
import type { LogFields, Logger, RootLogger } from './logger.js'
import { createMasker, type Masker } from './masker.js'
import { createFdWriter } from './stdout-writer.js'
import { createWinstonOutput } from './winston-output.js'

export interface LoggerConfig {
  /** Name of the service, on every line. */
  readonly service: string
  /** Lines below it are dropped. Default `info`. */
  readonly level?: LogThreshold
  /** Field names to mask besides the default ones. */
  readonly maskFields?: readonly string[]
  /** Lines are written when so many wait. Default 256. */
  readonly flushLines?: number
  /** And when the oldest has waited so long, in ms. Default 100. */
  readonly flushMs?: number
  /** Lines a second of one message and endpoint that are written; what is left out is counted on the next one. 0 writes all. Default 100. */
  readonly samplePerSecond?: number
}

export interface LoggerDeps {
  /** Takes whole lines that end in a newline; must not throw. Default: standard output. */
  readonly write?: (lines: string) => void
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number
}

/**
 * The logger of one process: JSON lines, masked, buffered, and flushed when the process ends by `process.exit`, by an uncaught error or by
 * running out of work. SIGKILL loses what the buffer holds (at most `flushMs`); `fatal`, `audit` and `security` are never buffered.
 */
export function createLogger(config: LoggerConfig & LoggerDeps): RootLogger {
  const masker = createMasker(config.maskFields)
  const writer =
    config.write === undefined ? createFdWriter(process.stdout.fd) : { write: config.write, finish: () => undefined }
  const buffer = new LineBuffer({
    flushLines: config.flushLines ?? 256,
    flushMs: config.flushMs ?? 100,
    output: createWinstonOutput(),
    sampler: new LineSampler(config.samplePerSecond ?? 100),
    writer,
  })
  const shared: Shared = {
    threshold: config.level ?? 'info',
    rank: logLevelRanks[config.level ?? 'info'],
    masker,
    buffer,
    now: config.now ?? Date.now,
  }
  return new BufferedRootLogger(shared, { service: config.service })
}

interface Shared {
  threshold: LogThreshold
  rank: number
  readonly masker: Masker
  readonly buffer: LineBuffer
  readonly now: () => number
}

const errorRank = logLevelRanks.error

class BufferedLogger implements Logger {
  protected readonly shared: Shared
  readonly #bound: LogFields

  /** `bound` is masked already. */
  constructor(shared: Shared, bound: LogFields) {
    this.shared = shared
    this.#bound = bound
  }

  debug(message: string, fields?: LogFields): void {
    if (this.shared.rank <= logLevelRanks.debug) this.#add('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    if (this.shared.rank <= logLevelRanks.info) this.#add('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    if (this.shared.rank <= logLevelRanks.warn) this.#add('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    if (this.shared.rank <= logLevelRanks.error) this.#add('error', message, fields)
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
    return new BufferedLogger(this.shared, { ...this.#bound, ...maskFields(this.shared.masker, fields) })
  }

  isEnabled(level: LogLevel): boolean {
    return logLevelRanks[level] >= this.shared.rank
  }

  #add(level: LogLevel, message: string, fields: LogFields | undefined): void {
    const { shared } = this
    shared.buffer.add({
      time: shared.now(),
      level,
      message,
      bound: this.#bound,
      context: currentContext(),
      fields: fields === undefined ? undefined : snapshot(shared.masker, fields),
      masker: shared.masker,
    })
    if (logLevelRanks[level] > errorRank) shared.buffer.flush()
  }
}

class BufferedRootLogger extends BufferedLogger implements RootLogger {
  readonly #onExit = () => this.shared.buffer.finish()

  constructor(shared: Shared, bound: LogFields) {
    super(shared, bound)
    process.on('exit', this.#onExit)
  }

  get level(): LogThreshold {
    return this.shared.threshold
  }

  setLevel(level: LogThreshold): void {
    this.shared.threshold = level
    this.shared.rank = logLevelRanks[level]
  }

  flush(): void {
    this.shared.buffer.flush()
  }

  close(): void {
    this.shared.buffer.close()
    process.removeListener('exit', this.#onExit)
  }
}

/**
 * Masking is put off until the line is written, to keep the caller quick. Objects could change until then, so they are masked, which copies
 * them, right now; texts and numbers cannot change and wait.
 */
function snapshot(masker: Masker, fields: LogFields): LogFields {
  for (const name in fields) {
    const value = fields[name]
    if (typeof value === 'object' && value !== null) return maskObjects(masker, fields)
  }
  // A literal is cloned whole far quicker than name by name.
  return { ...fields }
}

function maskObjects(masker: Masker, fields: LogFields): LogFields {
  const copy: Record<string, unknown> = {}
  for (const name in fields) {
    const value = fields[name]
    copy[name] = typeof value === 'object' && value !== null ? masker.field(name, value) : value
  }
  return copy
}

function maskFields(masker: Masker, fields: LogFields): LogFields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, masker.field(name, value)]))
}
