import { createRequire } from 'node:module'

/** A compiled regular expression whose time is linear in the text, whatever the expression is. */
export interface LinearRegex {
  /** Whether the expression matches anywhere in the text. */
  test(text: string): boolean
  /** Start and end of each match, in UTF-16 code units. */
  ranges(text: string): readonly (readonly [start: number, end: number])[]
}

interface Compiled {
  test(text: string): boolean
  programSize(): number
  matcher(text: string): { find(): boolean; start(): number; end(): number }
}

interface Engine {
  readonly RE2JS: {
    compile(source: string, flags?: number): Compiled
    readonly CASE_INSENSITIVE: number
  }
}

const SOURCE_LENGTH_MAX = 1000
/** Instructions: bounded repetitions can make many of a short source, and each costs time for each character of a text. */
const PROGRAM_SIZE_MAX = 5000
const RANGES_MAX = 1000

const require = createRequire(import.meta.url)
let engine: Engine | undefined

/**
 * Compiles an expression in the syntax of RE2 (https://github.com/google/re2/wiki/Syntax), which has no backreferences and no lookaround.
 * @throws RangeError with a message for the author of the expression
 */
export function compileRegex({
  source,
  ignoresCase,
}: {
  readonly source: string
  readonly ignoresCase: boolean
}): LinearRegex {
  if (source.length > SOURCE_LENGTH_MAX) throw new RangeError(`it has more than ${SOURCE_LENGTH_MAX} characters`)
  // Loaded when a query first needs it, so that an idle process does not hold it.
  engine ??= require('re2js') as Engine
  const compiled = compile(engine, source, ignoresCase)
  if (compiled.programSize() > PROGRAM_SIZE_MAX) throw new RangeError('its repetitions make it too large')
  return {
    test: (text) => compiled.test(text),
    ranges: (text) => {
      const found: [number, number][] = []
      const matcher = compiled.matcher(text)
      while (found.length < RANGES_MAX && matcher.find())
        if (matcher.end() > matcher.start()) found.push([matcher.start(), matcher.end()])
      return found
    },
  }
}

function compile({ RE2JS }: Engine, source: string, ignoresCase: boolean): Compiled {
  try {
    return RE2JS.compile(source, ignoresCase ? RE2JS.CASE_INSENSITIVE : 0)
  } catch (error) {
    throw new RangeError((error as Error).message.replace(/^error parsing regexp: /, ''), { cause: error })
  }
}

/** Characters with a meaning of their own in an expression. */
const SPECIAL = /[\\.[\](){}*+?|^$]/
const LITERAL_LENGTH_MIN = 3

/**
 * A text that each text contains which matches the expression; undefined when none is found. Only ASCII, and only outside of groups and alternatives. The
 * last character is left out: a mark behind it may change it when the text is normalised.
 */
export function literalOf({ source }: { readonly source: string }): string | undefined {
  if (/[|]|\(\?|\\[QEpPxC]/.test(source)) return undefined
  let longest = ''
  let current = ''
  const end = () => {
    if (current.length > longest.length) longest = current
    current = ''
  }
  let depth = 0
  for (let at = 0; at < source.length; at++) {
    const character = source[at] as string
    const next = source[at + 1] ?? ''
    const isEscaped = character === '\\'
    if (character === '[') {
      end()
      at = endOfClass(source, at)
    } else if (isEscaped && /[^a-zA-Z0-9]/.test(next)) {
      at++
      if (depth === 0) current += next
    } else if (isEscaped) {
      at++
      end()
    } else if (SPECIAL.test(character) || character > '~') {
      // The character before may be absent.
      if ('*?{'.includes(character)) current = current.slice(0, -1)
      end()
      if (character === '(') depth++
      else if (character === ')') depth--
      else if (character === '{') at = Math.max(at, source.indexOf('}', at))
    } else if (depth === 0) current += character
  }
  end()
  return longest.length < LITERAL_LENGTH_MIN ? undefined : longest.slice(0, -1)
}

/** The index of the bracket that closes a class of characters. The first character after `[` or `[^` does not close it. */
function endOfClass(source: string, start: number): number {
  let at = start + (source[start + 1] === '^' ? 2 : 1)
  for (at++; at < source.length && source[at] !== ']'; at++) {
    if (source[at] === '\\') at++
    else if (source.startsWith('[:', at)) at = Math.max(at, source.indexOf(':]', at) + 1)
  }
  return at
}
