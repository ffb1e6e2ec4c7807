import { type ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { GrowingBytes } from '../bytes/growing-bytes.js'
import { startOf, type Texts } from '../bytes/texts.js'
import { COLUMN_BYTES_MAX } from '../limits.js'
import { decodeDictionary, encodeDictionary } from './coded-texts.js'
import { Dictionary } from './dictionary.js'

/** Stands in a template for a variable. A NUL of a text is a part of a variable, so no template has one of its own. */
const PLACEHOLDER = 0
/** Ends each variable. It is no byte of a word, so no variable has one of its own. */
const VARIABLE_END = 0x0a

/** Texts with more different templates than this are not split: they are not made from templates. */
const TEMPLATES_MAX = 16_383
/** After this many texts it is decided whether templates are worth it. */
const TRIED_TEXTS = 512

const NO_WORD = 0
const WORD = 1
const VARIABLE = 2
/** What each byte is: a letter, a byte of a longer character or `_` belongs to a word, and a digit makes the word a variable. */
const KINDS = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++)
  KINDS[byte] = /[0-9\0]/.test(String.fromCharCode(byte))
    ? VARIABLE
    : /[A-Za-z_\x80-\xff]/.test(String.fromCharCode(byte))
      ? WORD
      : NO_WORD

/** Texts split into templates and variables. */
interface Split {
  readonly templates: Dictionary
  readonly ids: Float64Array
  /** All variables in the order of texts, each with its end. */
  readonly variables: GrowingBytes
}

/**
 * Splits each text into a template (the text without the words that have digits) and these words. Texts that were printed by the same line of code
 * mostly have the same template. Undefined for texts that have hardly any template in common.
 */
export function splitTexts(texts: Texts, count: number): Split | undefined {
  const templates = new Dictionary()
  const variables = new GrowingBytes(4096)
  const ids = new Float64Array(count)
  for (let index = 0; index < count; index++) {
    splitText(texts.bytes, { start: startOf(texts, index), end: texts.ends[index] as number }, { templates, variables })
    ids[index] = templates.endText()
    if (templates.count > TEMPLATES_MAX || (index >= TRIED_TEXTS && templates.count * 2 > index)) return undefined
  }
  return { templates, ids, variables }
}

/** Appends the template of a text to those bytes of the dictionary that `endText` completes, and its variables to the others. */
function splitText(source: Uint8Array, range: { start: number; end: number }, target: Omit<Split, 'ids'>): void {
  const { start, end } = range
  const literal = target.templates.bytes
  const { variables } = target
  literal.reserve(end - start)
  // Each variable has at least one byte, and one more for its end.
  variables.reserve((end - start) * 2)
  const literalBytes = literal.buffer
  const variableBytes = variables.buffer
  let literalAt = literal.length
  let variableAt = variables.length
  for (let at = start; at < end; ) {
    const wordStart = at
    let kinds = 0
    let kind = KINDS[source[at] as number] as number
    while (kind !== NO_WORD) {
      kinds |= kind
      at++
      kind = at < end ? (KINDS[source[at] as number] as number) : NO_WORD
    }
    if ((kinds & VARIABLE) !== 0) {
      literalBytes[literalAt++] = PLACEHOLDER
      for (let from = wordStart; from < at; from++) variableBytes[variableAt++] = source[from] as number
      variableBytes[variableAt++] = VARIABLE_END
    } else for (let from = wordStart; from < at; from++) literalBytes[literalAt++] = source[from] as number
    if (at < end) literalBytes[literalAt++] = source[at++] as number
  }
  literal.length = literalAt
  variables.length = variableAt
}

/** Writes templates and ids to one block and the variables to another. */
export function encodeSplit(out: GrowingBytes, variablesOut: GrowingBytes, { templates, ids, variables }: Split): void {
  out.u8(hasWordsOfLetters(variables.view()) ? 1 : 0)
  encodeDictionary(out, { dictionary: templates, ids, count: ids.length })
  variablesOut.append(variables.buffer, 0, variables.length)
}

/** Texts that are still split. */
export interface Templates {
  readonly templates: Texts
  /** The template of each text. */
  readonly ids: Float64Array
  /** Whether variables may have words without digits. If not, all such words of a text are in its template. */
  readonly mayHideWords: boolean
}

/** @throws InvalidBytes */
export function decodeSplit(reader: ByteReader, count: number): Templates {
  const flag = reader.u8()
  if (flag > 1) throw new InvalidBytes('templates have an unknown flag')
  const { dictionary, ids } = decodeDictionary(reader, count)
  return { templates: dictionary, ids, mayHideWords: flag === 1 }
}

/** Puts the variables back into the templates. @throws InvalidBytes when there are too few or too many of them, or the texts are too long */
export function joinTexts({ templates, ids, mayHideWords }: Templates, variables: Buffer): Texts {
  if (!mayHideWords && hasWordsOfLetters(variables))
    throw new InvalidBytes('variables have bytes that they must not have')
  const ends = new Uint32Array(ids.length)
  const bytes = Buffer.allocUnsafe(joinedLength({ templates, ids }, variables))
  const source = templates.bytes
  let at = 0
  let from = 0
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index] as number
    const end = templates.ends[id] as number
    for (let place = startOf(templates, id); place < end; place++) {
      const byte = source[place] as number
      if (byte !== PLACEHOLDER) bytes[at++] = byte
      else {
        for (let next = variables[from++]; next !== VARIABLE_END; next = variables[from++]) {
          if (next === undefined) throw new InvalidBytes('variables are missing')
          bytes[at++] = next
        }
      }
    }
    ends[index] = at
  }
  if (from !== variables.length) throw new InvalidBytes('there are more variables than templates need')
  return { bytes: bytes.subarray(0, at), ends }
}

/** An upper bound of the bytes of all texts. */
function joinedLength({ templates, ids }: Pick<Templates, 'templates' | 'ids'>, variables: Buffer): number {
  let length = variables.length
  for (const id of ids) length += (templates.ends[id] as number) - startOf(templates, id)
  if (length > COLUMN_BYTES_MAX) throw new InvalidBytes('texts are too long')
  return length
}

/** Each ASCII word of a variable has a digit, unless a NUL lies in the variable. Other characters may separate words. */
function hasWordsOfLetters(variables: Buffer): boolean {
  for (const byte of variables) if (byte === 0 || byte >= 0x80) return true
  return false
}
