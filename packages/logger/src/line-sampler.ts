import type { LogEntry } from './log-entry.js'
import { logLevelRanks } from './log-level.js'

/** Endpoints come from routes, but a caller may log what a client made up: the memory must not grow with it. */
const SOURCES_MAX = 1000
const WINDOW_MS = 1000

interface Source {
  windowStartMs: number
  lines: number
  suppressed: number
}

/**
 * Keeps a noisy endpoint from filling the log: of one message from one endpoint (the field `route`, `path` or `method`) so many lines a second
 * are written, and the next one says how many were not. Works when lines are written, so that a call costs nothing more.
 */
export class LineSampler {
  readonly #linesPerSecond: number
  readonly #sources = new Map<string, Source>()

  /** 0 lets everything through. `fatal`, `audit` and `security` are never held back. */
  constructor(linesPerSecond: number) {
    this.#linesPerSecond = linesPerSecond
  }

  /** How many lines like this one were left out since the last one that was written, or undefined when this one is to be left out. */
  admit({ level, message, fields, time }: LogEntry): number | undefined {
    if (this.#linesPerSecond === 0 || logLevelRanks[level] > logLevelRanks.error) return 0
    const endpoint = fields?.route ?? fields?.path ?? fields?.method
    const source = this.#sourceOf(`${level} ${message} ${typeof endpoint === 'string' ? endpoint : ''}`)
    // A clock that was set back begins a window too.
    if (Math.abs(time - source.windowStartMs) >= WINDOW_MS) Object.assign(source, { windowStartMs: time, lines: 0 })
    if (source.lines >= this.#linesPerSecond) {
      source.suppressed++
      return undefined
    }
    source.lines++
    const { suppressed } = source
    source.suppressed = 0
    return suppressed
  }

  #sourceOf(key: string): Source {
    const known = this.#sources.get(key)
    if (known !== undefined) return known
    if (this.#sources.size >= SOURCES_MAX) this.#sources.delete(this.#sources.keys().next().value as string)
    const source = { windowStartMs: Number.NEGATIVE_INFINITY, lines: 0, suppressed: 0 }
    this.#sources.set(key, source)
    return source
  }
}
