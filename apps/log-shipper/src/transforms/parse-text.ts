import { DecodeFault } from '../fields/decode-fault.js'
import { JsonReader } from '../fields/json-reader.js'
import { isMembers } from '../fields/log-fields.js'
import { createMembers, MemberAdder, type Members } from '../fields/member-adder.js'

/** The fields of a text, or a sentence about why it has none. It never holds a part of the text. */
export type ParsedText = Members | string

const DEPTH_MAX = 32

/** The members of a JSON object. */
export function parseJsonText(text: string): ParsedText {
  if (!/^\s*\{/.test(text)) return 'the text is not a JSON object'
  try {
    const value = new JsonReader(text, DEPTH_MAX).read()
    return isMembers(value) ? value : 'the text is not a JSON object'
  } catch (error) {
    if (error instanceof DecodeFault) return `the text is ${error.message}`
    throw error
  }
}

const KEY_END = /[\s="]/g
const SPACES = /\s*/y

/** The pairs of logfmt: `level=info msg="a \"quoted\" text" cached`. A key without a value is true. */
export function parseLogfmt(text: string): ParsedText {
  const adder = new MemberAdder()
  let at = 0
  let pairs = 0
  for (;;) {
    SPACES.lastIndex = at
    SPACES.test(text)
    at = SPACES.lastIndex
    if (at >= text.length) break
    const key = readUntil(text, at, KEY_END)
    at += key.length
    if (key === '') return `a key is expected at character ${at}`
    if (text[at] === '"') return `an equals sign is expected at character ${at}`
    if (text[at] !== '=') {
      adder.add(key, true)
      continue
    }
    pairs++
    const value = readValue(text, at + 1)
    if (value === undefined) return `the text in quotes at character ${at + 1} does not end`
    adder.add(key, value.value)
    at = value.end
  }
  return pairs === 0 ? 'the text has no pair of a key and a value' : adder.members
}

const VALUE_END = /\s/g
const QUOTED_STOP = /["\\]/g
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }

function readValue(text: string, start: number): { value: string; end: number } | undefined {
  if (text[start] !== '"') {
    const value = readUntil(text, start, VALUE_END)
    return { value, end: start + value.length }
  }
  let value = ''
  for (let at = start + 1; ; ) {
    const plain = readUntil(text, at, QUOTED_STOP)
    value += plain
    at += plain.length
    if (at >= text.length) return undefined
    if (text[at] === '"') return { value, end: at + 1 }
    const escaped = text[at + 1] ?? ''
    value += ESCAPES[escaped] ?? escaped
    at += 2
  }
}

function readUntil(text: string, start: number, stop: RegExp): string {
  stop.lastIndex = start
  const found = stop.exec(text)
  return text.slice(start, found?.index ?? text.length)
}

/** How pairs are written: `a: 1; b: 2` has the separators `;` and `:`. */
export interface PairSeparators {
  readonly pair: string
  readonly value: string
}

/** The pairs of a text. Space around keys and values, and quotes around values, are left out; what has no value separator is skipped. */
export function parsePairs(text: string, separators: PairSeparators): ParsedText {
  const members = createMembers()
  const adder = new MemberAdder(members)
  let pairs = 0
  for (const part of text.split(separators.pair)) {
    const at = part.indexOf(separators.value)
    if (at <= 0) continue
    const key = part.slice(0, at).trim()
    if (key === '') continue
    pairs++
    adder.add(key, unquote(part.slice(at + separators.value.length).trim()))
  }
  return pairs === 0 ? 'the text has no pair of a key and a value' : members
}

function unquote(text: string): string {
  const [first] = text
  return text.length >= 2 && (first === '"' || first === "'") && text.endsWith(first) ? text.slice(1, -1) : text
}
