import type { Cell } from '../records/file-record.js'

/** What a text must have for JSON.parse to change a number of it. */
const MAY_CHANGE_NUMBERS = /\d[\d.]{15}|[\d.][eE]|\d\.\d*0\b|[:\s]-0\b/

/**
 * The members of a JSON object as cells, in the order of `columns`. Texts are unescaped, numbers have the digits of the file, objects and lists are their
 * JSON text. A member that is null or absent is null; of two members with one name the last one counts.
 */
export class JsonCells {
  readonly #columns: ReadonlyMap<string, number>
  readonly #count: number

  constructor(columns: readonly string[]) {
    this.#columns = new Map(columns.map((name, index) => [name, index]))
    this.#count = columns.length
  }

  /** `text` is the source of `object`. */
  read(object: object, text: string): { cells: Cell[]; otherMembers: readonly string[] } {
    const cells: Cell[] = new Array(this.#count).fill(null)
    const otherMembers: string[] = []
    const exact = MAY_CHANGE_NUMBERS.test(text) ? readSources(text) : undefined
    for (const [name, value] of Object.entries(object)) {
      const column = this.#columns.get(name)
      if (column === undefined) otherMembers.push(name)
      else cells[column] = toCell(value, exact?.get(name))
    }
    return { cells, otherMembers: otherMembers.length === 0 ? NONE : otherMembers }
  }
}

const NONE: readonly string[] = []

function toCell(value: unknown, source: string | undefined): Cell {
  if (value === null) return null
  if (typeof value === 'string') return value
  return source ?? JSON.stringify(value)
}

/** The source text of each member's value. `text` must be a valid JSON object. */
function readSources(text: string): Map<string, string> {
  const sources = new Map<string, string>()
  let at = text.indexOf('{') + 1
  for (;;) {
    at = skipSpace(text, at)
    if (text[at] === '}') return sources
    const nameEnd = endOfString(text, at)
    const name = JSON.parse(text.slice(at, nameEnd)) as string
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1)
    const end = endOfValue(text, start)
    sources.set(name, text.slice(start, end))
    at = skipSpace(text, end)
    if (text[at] === '}') return sources
    at++
  }
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++
  return at
}

function endOfString(text: string, open: number): number {
  let at = open + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function endOfValue(text: string, start: number): number {
  let at = start
  let depth = 0
  for (;;) {
    const character = text[at] as string
    if (character === '"') at = endOfString(text, at)
    else {
      if (depth === 0 && /[,}\s]/.test(character)) return at
      if (character === '{' || character === '[') depth++
      else if (character === '}' || character === ']') depth--
      at++
    }
    if (depth === 0 && at > start && /["}\]]/.test(text[at - 1] as string)) return at
  }
}
