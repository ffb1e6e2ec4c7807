import winston from 'winston'
import { type LogLevel, logLevels } from './log-level.js'

/** A service logs its own routes, but a caller may log paths that clients invent: the memory must not grow with them. */
const SOURCES_MAX = 1000
const WINDOW_MS = 1000

interface Source {
  windowStartMs: number
  lines: number
  suppressed: number
}

/** How many lines of a route and level are written. */
export interface SamplingRule {
  /** The field `route`, else `path`, else `method` of a line. Default: every one. */
  readonly route?: string
  /** Default: every level that may be dropped. */
  readonly level?: 'debug' | 'info' | 'warn'
  /** 0 writes all. */
  readonly linesPerSecond: number
}

/**
 * A winston format that drops lines of a noisy endpoint: of one message and endpoint (field `route`, `path` or `method`) `linesPerSecond` lines a second
 * pass, and the next one carries the number of dropped ones as `suppressed`. 0 passes all. The first of `rules` that fits a line replaces the number. `error`,
 * `fatal`, `audit` and `security` always pass.
 */
export function sampleFormat(linesPerSecond: number, rules: readonly SamplingRule[] = []): winston.Logform.Format {
  const sources = new Map<string, Source>()

  const sourceOf = (key: string): Source => {
    const known = sources.get(key)
    if (known !== undefined) return known
    if (sources.size >= SOURCES_MAX) sources.delete(sources.keys().next().value as string)
    const source = { windowStartMs: Number.NEGATIVE_INFINITY, lines: 0, suppressed: 0 }
    sources.set(key, source)
    return source
  }

  return winston.format((info) => {
    if (logLevels[info.level as LogLevel] <= logLevels.error) return info
    const endpoint = info.route ?? info.path ?? info.method
    const rule = rules.find(({ route = endpoint, level = info.level }) => route === endpoint && level === info.level)
    const limit = rule?.linesPerSecond ?? linesPerSecond
    if (limit === 0) return info
    const source = sourceOf(`${info.level} ${String(info.message)} ${typeof endpoint === 'string' ? endpoint : ''}`)
    const timeMs = Date.parse(info.timestamp as string)
    // A window also starts when the clock was set back.
    if (Math.abs(timeMs - source.windowStartMs) >= WINDOW_MS) Object.assign(source, { windowStartMs: timeMs, lines: 0 })
    if (source.lines >= limit) {
      source.suppressed++
      return false
    }
    source.lines++
    if (source.suppressed > 0) info.suppressed = source.suppressed
    source.suppressed = 0
    return info
  })()
}
