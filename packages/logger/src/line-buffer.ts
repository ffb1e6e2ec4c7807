import type { LineSampler } from './line-sampler.js'
import type { LogEntry } from './log-entry.js'
import type { LineWriter } from './stdout-writer.js'
import type { LineOutput } from './winston-output.js'

interface LineBufferOptions {
  readonly flushLines: number
  readonly flushMs: number
  readonly output: LineOutput
  readonly sampler: LineSampler
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
    const { output, sampler, writer } = this.#options
    for (const entry of entries) {
      const suppressed = sampler.admit(entry)
      if (suppressed === 0) output.put(entry)
      else if (suppressed !== undefined) output.put({ ...entry, fields: { ...entry.fields, suppressed } })
    }
    const lines = output.take()
    if (lines !== '') writer.write(lines)
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
