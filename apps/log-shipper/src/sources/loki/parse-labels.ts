import { DecodeFault } from '../../fields/decode-fault.js'
import { MemberAdder, type Members } from '../../fields/member-adder.js'

const NAME = /\s*([a-zA-Z_:][a-zA-Z0-9_:.]*)\s*=\s*/y
const DOUBLE_QUOTED = /"(?:[^"\\]|\\[\s\S])*"/y
const BACK_QUOTED = /`[^`]*`/y
const SEPARATOR = /\s*(,|\})\s*/y
const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

/**
 * The labels of a stream as Prometheus writes them: `{app="cart", level="info"}`.
 * @throws DecodeFault
 */
export function parseLabels(text: string): Members {
  const adder = new MemberAdder()
  const trimmed = text.trim()
  if (!trimmed.startsWith('{')) throw fault('they must be in braces')
  let at = 1
  const match = (expression: RegExp): RegExpExecArray | null => {
    expression.lastIndex = at
    const found = expression.exec(trimmed)
    if (found !== null) at = expression.lastIndex
    return found
  }
  if (/^\{\s*\}$/.test(trimmed)) return adder.members
  for (;;) {
    const name = match(NAME)
    if (name === null) {
      if (trimmed.slice(at).trim() === '}') return adder.members
      throw fault(`a name is expected at character ${at}`)
    }
    const value = match(DOUBLE_QUOTED) ?? match(BACK_QUOTED)
    if (value === null) throw fault(`a value in quotes is expected at character ${at}`)
    adder.add(name[1] as string, unquote(value[0]))
    const separator = match(SEPARATOR)
    if (separator === null) throw fault(`a comma or } is expected at character ${at}`)
    if (separator[1] === ',') continue
    if (at < trimmed.length) throw fault('text after the closing brace')
    return adder.members
  }
}

/** The text of a string of Go's syntax. An escape that Go does not know stands for itself. */
function unquote(quoted: string): string {
  const inner = quoted.slice(1, -1)
  if (quoted.startsWith('`') || !inner.includes('\\')) return inner
  return inner.replaceAll(
    /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([\s\S]))/g,
    (_escape, x, u, long, octal, letter) => {
      if (letter !== undefined) return ESCAPES[letter] ?? letter
      const code = Number.parseInt(x ?? u ?? long ?? octal, octal === undefined ? 16 : 8)
      return code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd'
    },
  )
}

function fault(reason: string): DecodeFault {
  return new DecodeFault('invalid_record', `the labels of the stream cannot be parsed: ${reason}`)
}
