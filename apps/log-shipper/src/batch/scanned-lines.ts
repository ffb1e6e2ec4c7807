import type { Masker } from '@millrace/masking'
import { isUsableTime, toName } from '../records/record-limits.js'
import {
  ATTRIBUTES_MAX,
  type AttributeName,
  ESCAPED,
  FALSE,
  type LevelText,
  LITERAL,
  NUMBER,
  type ScannedLine,
  type ScannedOrigin,
  type ScannedSink,
  TRUE,
} from '../records/scanned-line.js'
import { severityOfText } from '../records/severity.js'
import { KnownTexts } from './known-texts.js'
import type { LineBatches } from './line-batches.js'

/** Longer messages and attributes are left to the exact decoder, so that no line comes near the limits of a record. */
const TEXT_BYTES_MAX = 64 * 1024
/** Of the member for the flags of a trace. */
const TRACE_FLAGS_BYTES = 24
/** Of a double in JSON, with the comma in front of its member. */
const NUMBER_BYTES_MAX = 28
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c

/** What is cached about the name of an attribute, so that it is decided once and not for each line. */
interface KnownName extends AttributeName {
  /** False for a name that is masked, whose value is, or that has a place of its own in the order of an object. */
  readonly isPlain: boolean
  /** The line in which the name was seen last. */
  seenIn: number
}

interface KnownLevel extends LevelText {
  readonly isPlain: boolean
}

interface Origin {
  readonly service: string
  /** Undefined before its first line. */
  batches: LineBatches | undefined
  readonly host: Buffer
  /** JSON members of its attributes, with a comma in front of each. */
  readonly members: Buffer
  readonly attributes: number
}

interface ScannedLinesDeps {
  readonly masker: Masker
  /** ms since 1970. */
  readonly receivedAtMs: number
  readonly batchesOf: (service: string) => LineBatches
  readonly noteAdded: () => void
  readonly reset: () => void
}

/** Names that decoders themselves give to attributes. */
const OWN_NAMES =
  /^(?:resource\.|scope\.|millrace\.|(?:trace_id|span_id|event\.name|trace_flags|dropped_attributes_count)(?:#|$))/

/** One for each masker, since it decides what a name means. */
const textsOf = new WeakMap<Masker, Texts>()
interface Texts {
  readonly names: KnownTexts<KnownName>
  readonly levels: KnownTexts<KnownLevel>
}
let scratch = Buffer.allocUnsafeSlow(4096)
let unescaped = Buffer.allocUnsafeSlow(4096)

/** Writes scanned lines to the columns of a batch without making strings of them. */
export class ScannedLines implements ScannedSink {
  readonly #deps: ScannedLinesDeps
  readonly #texts: Texts
  #origin: Origin | undefined
  #line = 0

  constructor(deps: ScannedLinesDeps) {
    this.#deps = deps
    this.#texts = textsOf.get(deps.masker) ?? createTexts(deps.masker)
  }

  reset(): void {
    this.#deps.reset()
  }

  begin({ service, host, attributes }: ScannedOrigin): boolean {
    const { masker } = this.#deps
    this.#origin = undefined
    if (!isPlainName(service, masker) || !isPlainName(host, masker)) return false
    const values = Object.values(attributes)
    if (values.length >= ATTRIBUTES_MAX || values.some((value) => typeof value === 'object' && value !== null))
      return false
    const json = JSON.stringify(attributes)
    if (json.length > TEXT_BYTES_MAX || JSON.stringify(masker.value(attributes)) !== json) return false
    const members = Buffer.from(values.length === 0 ? '' : `,${json.slice(1, -1)}`)
    this.#origin = { service, batches: undefined, host: Buffer.from(host), members, attributes: values.length }
    return true
  }

  beginLine(): void {
    // Names are remembered longer than this collector, so the numbers of lines are unique in the process.
    this.#line = ++lastLine
  }

  nameAt(bytes: Buffer, start: number, end: number): AttributeName | undefined {
    const name = this.#texts.names.find(bytes, start, end)
    if (name === undefined || !name.isPlain || name.seenIn === this.#line) return undefined
    name.seenIn = this.#line
    return name
  }

  levelAt(bytes: Buffer, start: number, end: number): LevelText | undefined {
    const level = this.#texts.levels.find(bytes, start, end)
    return level?.isPlain === true ? level : undefined
  }

  add(bytes: Buffer, line: ScannedLine): boolean {
    const origin = this.#origin
    const { messageStart: start, messageEnd: end } = line
    if (origin === undefined || !isUsableTime(line.timeMs, this.#deps.receivedAtMs)) return false
    if (end - start > TEXT_BYTES_MAX || line.attributes + origin.attributes > ATTRIBUTES_MAX) return false
    const attributes = this.#writeAttributes(bytes, line, origin)
    if (attributes < 0) return false
    const isEscaped = line.isMessageEscaped
    const message = isEscaped ? removeEscapes(bytes, start, end) : end - start
    const source = isEscaped ? unescaped : bytes
    const from = isEscaped ? 0 : start
    const masked = this.#deps.masker.range(source, from, from + message)
    origin.batches ??= this.#deps.batchesOf(origin.service)
    const { columns } = origin.batches
    columns.time.append(line.timeMs, line.timeSubNs)
    columns.severity.append(line.severity)
    columns.severityText.append(line.level)
    columns.host.append(origin.host)
    if (line.hasTrace) columns.trace.appendPacked(line.trace)
    if (line.hasSpan) columns.span.appendPacked(line.span)
    if (masked === undefined) columns.message.append(source, from, from + message)
    else columns.message.append(masked)
    if (attributes > 0) columns.attributes.append(scratch, 0, attributes)
    columns.flags.append(0)
    columns.originalBytes.append(0)
    origin.batches.endLine(line.timeMs, (masked?.length ?? message) + attributes)
    this.#deps.noteAdded()
    return true
  }

  /** Writes the JSON of the attributes to `scratch`. Returns its length, 0 without attributes, and -1 when the exact decoder has to write it. */
  #writeAttributes(bytes: Buffer, line: ScannedLine, { members }: Origin): number {
    const { masker } = this.#deps
    reserve(line, members.length)
    let to = 0
    for (let index = 0; index < line.attributes; index++) {
      const { json, isId } = line.names[index] as AttributeName
      const start = line.starts[index] as number
      const end = line.ends[index] as number
      const kind = line.kinds[index] as number
      scratch[to++] = COMMA
      to = copy(json, 0, { end: json.length, to })
      if (kind === LITERAL) {
        to = copy(bytes, start, { end, to })
        continue
      }
      if (kind >= NUMBER) {
        to += scratch.write(wordOf(kind, line.numbers[index] as number), to, 'latin1')
        continue
      }
      const length = kind === ESCAPED ? removeEscapes(bytes, start, end) : 0
      const isClean =
        kind === ESCAPED
          ? masker.isClean(unescaped, { start: 0, end: length, isId })
          : masker.isClean(bytes, { start, end, isId })
      if (!isClean) return -1
      scratch[to++] = QUOTE
      to = copy(bytes, start, { end, to })
      scratch[to++] = QUOTE
    }
    if (line.traceFlags > 0) to += scratch.write(`,"trace_flags":${line.traceFlags}`, to, 'latin1')
    to = copy(members, 0, { end: members.length, to })
    if (to === 0) return 0
    if (to > TEXT_BYTES_MAX) return -1
    // The comma in front of the first member.
    scratch[0] = 0x7b
    scratch[to++] = 0x7d
    return to
  }
}

let lastLine = 0

function createTexts(masker: Masker): Texts {
  const texts = {
    names: new KnownTexts((name) => toKnownName(name, masker)),
    levels: new KnownTexts((text) => ({
      bytes: Buffer.from(text),
      severity: severityOfText(text),
      isPlain: isPlainName(text, masker),
    })),
  }
  textsOf.set(masker, texts)
  return texts
}

function toKnownName(name: string, masker: Masker): KnownName {
  const kind = masker.kindOf(name)
  // Names that are numbers come first in an object, whatever the order is in which they are added.
  const isPlain =
    kind !== 'secret' &&
    name !== '__proto__' &&
    !/^\d+$/.test(name) &&
    !OWN_NAMES.test(name) &&
    masker.text(name) === name
  return { json: Buffer.from(`${JSON.stringify(name)}:`), isId: kind === 'id', isPlain, seenIn: 0 }
}

/** True when neither masking nor the limit of its length changes the name of a service, a host or a level. */
function isPlainName(text: string, masker: Masker): boolean {
  return masker.text(text) === text && toName(text) === text
}

function reserve({ attributes, names, starts, ends, kinds }: ScannedLine, more: number): void {
  let needed = more + TRACE_FLAGS_BYTES + 2
  for (let index = 0; index < attributes; index++) {
    const isInBytes = (kinds[index] as number) < NUMBER
    const length = isInBytes ? (ends[index] as number) - (starts[index] as number) + 3 : NUMBER_BYTES_MAX
    needed += (names[index] as AttributeName).json.length + length
  }
  if (needed > scratch.length) scratch = Buffer.allocUnsafeSlow(needed * 2)
}

/** The JSON of a value that does not stand in the bytes. */
function wordOf(kind: number, number: number): string {
  if (kind === TRUE || kind === FALSE) return kind === TRUE ? 'true' : 'false'
  // A zero with a sign is written without it.
  return String(number)
}

/** Copies to `scratch` and returns where to go on. Most texts are so short that a loop is faster than a call. */
function copy(bytes: Buffer, start: number, { end, to }: { end: number; to: number }): number {
  const target = scratch
  let at = to
  for (let from = start; from < end; from++) target[at++] = bytes[from] as number
  return at
}

/** Writes a JSON string without its escapes, all of which have two characters, to `unescaped`. Returns its length. */
function removeEscapes(bytes: Buffer, start: number, end: number): number {
  if (end - start > unescaped.length) unescaped = Buffer.allocUnsafeSlow((end - start) * 2)
  const target = unescaped
  let to = 0
  for (let from = start; from < end; from++) {
    const code = bytes[from] as number
    target[to++] = code === BACKSLASH ? (ESCAPES[bytes[++from] as number] as number) : code
  }
  return to
}

const ESCAPES = new Uint8Array(256)
for (const [letter, code] of Object.entries({ '"': 0x22, '\\': 0x5c, b: 8, f: 12, n: 10, r: 13, t: 9 }))
  ESCAPES[letter.charCodeAt(0)] = code
