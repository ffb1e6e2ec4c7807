import { formatTime } from '../records/parse-time.js'
import { LEVEL_NAMES, levelIndex } from '../records/severity.js'
import type { LogRow } from '../search/compiled-query.js'
import type { LogRows } from '../search/log-rows.js'
import { lineId } from './line-fields.js'
import { printQuery } from './print-query.js'

/** Stands in a pattern for a part that differs from line to line. */
export const VARIABLE = '<*>'

/** Runs without spaces and brackets in which a digit occurs: numbers, ids, addresses, paths with ids, times. */
const VARIABLE_PART = /[\p{L}\p{M}\p{N}_./:@%+#~-]*\p{N}[\p{L}\p{M}\p{N}_./:@%+#~-]*/gu
const PATTERN_LENGTH_MAX = 500

/**
 * The pattern of a message: its first line with `<*>` for each run of characters that has a digit. Signs at the end of such a run (`took 12ms, port 80.`)
 * belong to the text around it.
 */
export function patternOf(message: string): string {
  const end = message.indexOf('\n')
  const first = (end < 0 ? message : message.slice(0, end)).slice(0, PATTERN_LENGTH_MAX)
  return first.replaceAll(VARIABLE_PART, (part) => `${VARIABLE}${/[./:@%+#~-]*$/.exec(part)?.[0] ?? ''}`)
}

/** The query that finds the lines of a pattern. */
export function queryOfPattern(pattern: string): string {
  const source = pattern
    .split(VARIABLE)
    .map((text) => text.replaceAll(/[\\.[\](){}*+?|^$]/g, '\\$&'))
    .join('\\S*')
  return printQuery({
    kind: 'term',
    field: ['message'],
    match: { kind: 'regex', source: `^${source}`.slice(0, 990), ignoresCase: false },
  })
}

/** A pattern with what was counted of it. */
export interface LogPattern {
  readonly pattern: string
  readonly count: number
  /** Lines in the period of the same length before. */
  readonly previous: number
  /** By how much the count has changed, as a fraction of the previous one; null when there was none before. */
  readonly change: number | null
  readonly levels: Readonly<Record<string, number>>
  readonly first: string
  readonly last: string
  readonly examples: readonly { readonly id: string; readonly message: string }[]
  /** Finds the lines of the pattern. */
  readonly query: string
}

interface Counted {
  count: number
  previous: number
  readonly levels: number[]
  firstMs: number
  lastMs: number
  readonly examples: { readonly id: string; readonly message: string }[]
}

const PATTERNS_MAX = 20_000
const EXAMPLES_MAX = 3
const EXAMPLE_LENGTH_MAX = 1000
/** Stands for a variable of a stored template while its pattern is made: a word with a digit. */
const TEMPLATE_VARIABLE = '0'

/** Counts the patterns of messages in a period and in the one before it. */
export class PatternCounts {
  readonly #currentFromMs: number
  readonly #patterns = new Map<string, Counted>()
  /** Lines of the period. */
  total = 0
  /** Lines whose patterns have no count of their own, because there are too many. */
  uncounted = 0

  constructor(currentFromMs: number) {
    this.#currentFromMs = currentFromMs
  }

  /** Counts lines of a chunk or a batch. Where messages are stored as templates, each template is looked at once. */
  add(rows: LogRows, matching: readonly number[]): void {
    const { templates } = rows.columns('message')
    if (templates === undefined) {
      for (const index of matching) this.#count(patternOf(rows.row(index).message), rows.row(index))
      return
    }
    const patterns = new Map<number, string>()
    for (const index of matching) {
      const id = templates.ids[index] as number
      let pattern = patterns.get(id)
      if (pattern === undefined) {
        const start = id === 0 ? 0 : (templates.templates.ends[id - 1] as number)
        const text = templates.templates.bytes.toString('utf8', start, templates.templates.ends[id])
        pattern = patternOf(text.replaceAll('\0', TEMPLATE_VARIABLE))
        patterns.set(id, pattern)
      }
      this.#count(pattern, rows.row(index))
    }
  }

  #count(pattern: string, row: LogRow): void {
    const isCurrent = row.timeMs >= this.#currentFromMs
    if (isCurrent) this.total++
    let counted = this.#patterns.get(pattern)
    if (counted === undefined) {
      if (this.#patterns.size >= PATTERNS_MAX) {
        if (isCurrent) this.uncounted++
        return
      }
      counted = { count: 0, previous: 0, levels: [], firstMs: row.timeMs, lastMs: row.timeMs, examples: [] }
      this.#patterns.set(pattern, counted)
    }
    if (!isCurrent) {
      counted.previous++
      return
    }
    if (counted.count === 0) counted.firstMs = counted.lastMs = row.timeMs
    counted.count++
    counted.firstMs = Math.min(counted.firstMs, row.timeMs)
    counted.lastMs = Math.max(counted.lastMs, row.timeMs)
    const level = levelIndex(row.severity)
    counted.levels[level] = (counted.levels[level] ?? 0) + 1
    if (counted.examples.length < EXAMPLES_MAX)
      counted.examples.push({ id: lineId(row), message: row.message.slice(0, EXAMPLE_LENGTH_MAX) })
  }

  /** The most frequent patterns of the period come first. With `byChange`, the patterns whose number of lines has grown most since the period before come first. */
  top(limit: number, { byChange }: { readonly byChange: boolean }): LogPattern[] {
    const rank = ({ count, previous }: Counted) => (byChange ? count - previous : count)
    return [...this.#patterns]
      .filter(([, { count, previous }]) => count > 0 || (byChange && previous > 0))
      .sort(([a, x], [b, y]) => rank(y) - rank(x) || (a < b ? -1 : 1))
      .slice(0, limit)
      .map(([pattern, { count, previous, levels, firstMs, lastMs, examples }]) => ({
        pattern,
        count,
        previous,
        change: previous === 0 ? null : count / previous - 1,
        levels: Object.fromEntries(
          LEVEL_NAMES.flatMap((name, index) => (levels[index] === undefined ? [] : [[name, levels[index]]])),
        ),
        first: formatTime(firstMs, 0),
        last: formatTime(lastMs, 0),
        examples,
        query: queryOfPattern(pattern),
      }))
  }

  get distinct(): number {
    return this.#patterns.size
  }
}
