import type { Page } from './pages.js'

/** A log line, masked. With `fields` it has only these and the id. */
export interface LogLine {
  /** Identifies the line and begins with its time. */
  readonly id: string
  /** RFC 3339 with nanoseconds. */
  readonly time: string
  readonly level: LogLevel
  /** Severity number of OpenTelemetry, 1 to 24; 0 when it is unknown. */
  readonly severity: number
  /** The level as the sender wrote it. */
  readonly severity_text: string
  readonly service: string
  readonly host: string
  readonly trace_id: string
  readonly span_id: string
  readonly message: string
  /** What was changed when the line was received. */
  readonly flags: readonly string[]
  /** Bytes of the line before it was cut; 0 when it is whole. */
  readonly original_bytes: number
  readonly attributes: Readonly<Record<string, unknown>>
  /** With `highlight`: where the query matches, in UTF-16 code units. */
  readonly highlights?: readonly {
    readonly field: string
    readonly ranges: readonly (readonly [start: number, end: number])[]
  }[]
}

export type LogLevel = 'unknown' | 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

/** Which lines are meant. Absent fields mean all; all others must hold. */
export interface LogConditions {
  /** Start of the range, inclusive. */
  readonly from?: string | Date | undefined
  /** End of the range, exclusive. */
  readonly to?: string | Date | undefined
  readonly level?: LogLevel | readonly LogLevel[] | undefined
  readonly service?: string | readonly string[] | undefined
  readonly host?: string | undefined
  readonly trace_id?: string | undefined
  /** A query in the language for log lines, such as `level>=warn "payment failed"`. */
  readonly q?: string | undefined
  /** A text that must be in the message or in an attribute. */
  readonly contains?: string | undefined
}

/** Selects log lines and what the pages have of them. */
export interface LogsFilter extends LogConditions {
  /** Lines per page, 1 to 100. Default 10. */
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
  /** Names of the fields that lines have. Default: all. */
  readonly fields?: readonly string[] | undefined
  readonly highlight?: boolean | undefined
  /** Default: newest first. */
  readonly order?: 'newest' | 'oldest' | undefined
}

/** A page of log lines. A page may be short or empty and still have a cursor. */
export interface LogsPage extends Page<LogLine> {
  readonly meta: {
    readonly scanned: number
    readonly skipped: number
    readonly total: number | null
    readonly watermark: string | null
    readonly took_ms: number
    /** What the page lacks; empty when it has everything. */
    readonly incomplete: readonly string[]
    /** Advice for a query that found nothing. */
    readonly hints: readonly string[]
  }
}

/** The lines of the same service and host around a line, from the oldest to the newest. */
export interface LogContext {
  readonly data: readonly LogLine[]
  /** Index of the line itself. */
  readonly index: number
  readonly meta: { readonly took_ms: number; readonly incomplete: readonly string[] }
}

/** What counts over log lines have in common. */
export interface LogCounts<T> {
  readonly data: readonly T[]
  readonly meta: {
    readonly from: string
    readonly to: string
    readonly scanned: number
    readonly skipped: number
    /** Lines that were counted. */
    readonly total: number
    readonly watermark: string | null
    readonly took_ms: number
    readonly incomplete: readonly string[]
  }
}

/** Lines in one bucket of time. */
export interface LogBucket {
  readonly time: string
  readonly count: number
  /** With `group_by`: lines by value. */
  readonly groups?: Readonly<Record<string, number>>
}

/** A value of a field, and the lines that have it. */
export interface LogValue {
  readonly value: string
  readonly count: number
  readonly share: number
}

/** A pattern of messages. */
export interface LogPattern {
  /** `<*>` stands for each part that has a digit. */
  readonly pattern: string
  readonly count: number
  /** Lines in the range of the same length before. */
  readonly previous: number
  /** By how much the count has changed, as a fraction of `previous`; null when that is 0. */
  readonly change: number | null
  readonly levels: Readonly<Record<string, number>>
  readonly first: string
  readonly last: string
  readonly examples: readonly { readonly id: string; readonly message: string }[]
  /** Finds the lines of the pattern. */
  readonly query: string
}

/** Log lines as they arrive. They have no id. */
export interface LiveLines {
  readonly lines: readonly Omit<LogLine, 'id' | 'highlights'>[]
  /** Matching lines that were left out before these, because the caller reads too slowly. */
  readonly dropped: number
  /** Whether lines may be missing between the last ones and these, after a reconnection. */
  readonly has_gap: boolean
}

/** Counts by time. */
export interface LogHistogramQuery extends LogConditions {
  /** auto (the default), or such as 30s, 5m, 1h or 1d. */
  readonly interval?: string | undefined
  /** A field by whose values lines are counted as well. */
  readonly group_by?: string | undefined
  /** Values with a count of their own, 1 to 100. Default 10. */
  readonly limit?: number | undefined
}

/** Counts by the values of a field. */
export interface TopLogValuesQuery extends LogConditions {
  /** level, service, host or the path of an attribute, such as http.status. */
  readonly field: string
  readonly limit?: number | undefined
}

/** Patterns of messages. */
export interface LogPatternsQuery extends LogConditions {
  readonly limit?: number | undefined
  /** count (the default): the most frequent first. change: those that have grown by most lines. */
  readonly order?: 'count' | 'change' | undefined
}

/** Lines to watch. */
export interface LiveLogsQuery extends LogConditions {
  readonly fields?: readonly string[] | undefined
}

/** The same fields with lists as texts with commas, as these paths take them. */
export function withTextLists(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : value]),
  )
}
