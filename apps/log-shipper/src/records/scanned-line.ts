/** What the records of one resource have in common. */
export interface ScannedOrigin {
  readonly service: string
  readonly host: string
  readonly attributes: Readonly<Record<string, unknown>>
}

/** The name of an attribute. */
export interface AttributeName {
  /** The name as the beginning of a JSON member: `"user_id":`. */
  readonly json: Buffer
  /** Whether its value is an id, for masking. */
  readonly isId: boolean
}

/** A level as clients write it. */
export interface LevelText {
  readonly bytes: Buffer
  readonly severity: number
}

/**
 * Takes lines that a scanner found in the bytes of a request. What is stored is the same, byte for byte, as for the records of the exact decoder; a line that
 * needs more than copying is refused, so that the exact decoder hands it to the sink.
 */
export interface ScannedSink {
  /** Forgets everything that the sink of the request was given, so that the exact decoder can begin anew. */
  reset(): void
  /** What the next lines have in common. False when their records have to be decoded exactly. */
  begin(origin: ScannedOrigin): boolean
  /** Begins a line, in which no name of an attribute was seen yet. */
  beginLine(): void
  /** The name of an attribute; undefined when the exact decoder has to decide about it, also when the line has it already. */
  nameAt(bytes: Buffer, start: number, end: number): AttributeName | undefined
  /** A level; undefined when the exact decoder has to decide about it. */
  levelAt(bytes: Buffer, start: number, end: number): LevelText | undefined
  /** Masks and keeps a line. False when nothing was kept, because its record has to be decoded exactly. */
  add(bytes: Buffer, line: ScannedLine): boolean
}

/** Lines with more attributes are left to the exact decoder. */
export const ATTRIBUTES_MAX = 128

/** Kinds of values of attributes: a text, a text with escapes of two characters that JSON.stringify would write as well, and a number or a word that stays as it is. */
export const TEXT = 0
export const ESCAPED = 1
export const LITERAL = 2
/** Values that do not stand in the bytes in the form of JSON: a finite number in `numbers`, `true` and `false`. */
export const NUMBER = 3
export const TRUE = 4
export const FALSE = 5

/** A line as a scanner found it: mostly where its parts lie in the bytes of the request. One object is used for all lines. */
export class ScannedLine {
  timeMs = 0
  timeSubNs = 0
  severity = 0
  level: Buffer = NOTHING
  hasTrace = false
  readonly trace = Buffer.alloc(16)
  hasSpan = false
  readonly span = Buffer.alloc(8)
  messageStart = 0
  messageEnd = 0
  isMessageEscaped = false
  /** Flags of the trace; 0 when there are none. */
  traceFlags = 0
  /** How many attributes there are; what they are is in the lists. */
  attributes = 0
  readonly names: AttributeName[] = []
  readonly starts = new Uint32Array(ATTRIBUTES_MAX)
  readonly ends = new Uint32Array(ATTRIBUTES_MAX)
  readonly kinds = new Uint8Array(ATTRIBUTES_MAX)
  readonly numbers = new Float64Array(ATTRIBUTES_MAX)

  /** Forgets the line before. */
  clear(): void {
    this.timeMs = -1
    this.timeSubNs = 0
    this.severity = 0
    this.level = NOTHING
    this.hasTrace = false
    this.hasSpan = false
    this.messageStart = 0
    this.messageEnd = 0
    this.isMessageEscaped = false
    this.traceFlags = 0
    this.attributes = 0
  }
}

const NOTHING = Buffer.alloc(0)
