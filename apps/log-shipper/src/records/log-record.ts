/** One log line as a source has read it from its wire, before limits and masking. */
export interface LogRecord {
  /**
   * Time of the line in ms since 1970, an integer. Undefined: the wire gave no usable time; the line gets the time of receipt and the flag `timeGuessed`.
   */
  readonly timeMs: number | undefined
  /** The rest of the time below a millisecond, in ns: 0 to 999,999. */
  readonly timeSubNs: number
  /** Severity number of OpenTelemetry, 1 to 24; 0 when it is unknown. See severity.ts. */
  readonly severity: number
  /** The level as the client wrote it; '' when it wrote none. */
  readonly severityText: string
  /** Name of the service that wrote the line; '' when it is unknown. */
  readonly service: string
  /** Name of the host; '' when it is unknown. */
  readonly host: string
  /** 32 lower-case hexadecimal digits; '' when there is none, or when all digits are zero. */
  readonly traceId: string
  /** 16 lower-case hexadecimal digits; '' when there is none, or when all digits are zero. */
  readonly spanId: string
  readonly message: string
  /** JSON values. An integer beyond 2^53 is a string. An own `__proto__` is a key like any other. */
  readonly attributes: Readonly<Record<string, unknown>>
  /** Bits of `LOG_FLAGS`. */
  readonly flags: number
  /** Size of the whole record in bytes before it was cut; 0 when it is whole. */
  readonly originalBytes: number
}

/** What was changed in a line on its way in. Stored with the line and shown by name in search results, so bits are never reused. */
export const LOG_FLAGS = {
  /** Invalid UTF-8 was replaced by U+FFFD. */
  utf8Repaired: 1,
  /** The record was larger than the limit; its message or its attributes end early. */
  cut: 2,
  /** The line had no usable time and got the time of receipt. */
  timeGuessed: 4,
  /** Values that were nested too deeply are JSON texts. */
  depthCut: 8,
  /** Attributes beyond the largest number were left out. */
  attributesCut: 16,
  /** A key occurred more than once: the first value has the key itself, the others have `key#2`, `key#3` and so on. */
  keysRepeated: 32,
} as const

/** The names of the flags that are set, in the order of `LOG_FLAGS`. */
export function flagNames(flags: number): string[] {
  return Object.entries(LOG_FLAGS).flatMap(([name, bit]) => ((flags & bit) === 0 ? [] : [name]))
}
