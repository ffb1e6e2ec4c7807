import type { LogEntry } from './log-entry.js'
import type { LineWriter } from './stdout-writer.js'
import type { LineOutput } from './winston-output.js'

interface LineBufferOptions {
  readonly flushLines: number
  readonly flushMs: number
  readonly output: LineOutput
  readonly writer: LineWriter
}

/** Collects entries and writes them as one piece, when enough wait or the oldest has waited long enough. */
export class LineBuffer {
  readonly #options: LineBufferOptions
  #entries: LogEntry[] = []
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: LineBufferOptions) {
    this.#options = options
  }

  add(entry: LogEntry): void {
    this.#entries.push(entry)
    if (this.#isClosed || this.#entries.length >= this.#options.flushLines) this.flush()
    // The timer does not keep the process alive: the exit event flushes.
    else this.#timer ??= setTimeout(() => this.flush(), this.#options.flushMs).unref()
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#entries.length === 0) return
    const entries = this.#entries
    this.#entries = []
    for (const entry of entries) this.#options.output.put(entry)
    this.#options.writer.write(this.#options.output.take())
  }

  /** Flushes and waits until the last byte is out. */
  finish(): void {
    this.flush()
    this.#options.writer.finish()
  }

  close(): void {
    this.#isClosed = true
    this.finish()
  }
}
