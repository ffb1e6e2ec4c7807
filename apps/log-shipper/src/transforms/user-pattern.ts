import type { RE2JS } from 're2js'
import type { WorkBudget } from './work-budget.js'

/** The module, loaded when the first tenant has rules: it takes memory that an idle service must not have. */
export type PatternEngine = typeof RE2JS

let engine: Promise<PatternEngine> | undefined

/** Loads the engine for patterns of users. It matches in linear time; the engine of JavaScript does not, so a pattern could stop a process. */
export function loadPatternEngine(): Promise<PatternEngine> {
  engine ??= import('re2js').then(({ RE2JS }) => RE2JS)
  return engine
}

const PATTERN_LENGTH_MAX = 4_096
const PROGRAM_SIZE_MAX = 4_000
const TEXT_LENGTH_MAX = 32_768

/** A pattern that cannot be used. `position` is the index of the character at which it is wrong, if that is known. */
export class PatternFault extends Error {
  readonly position: number | undefined

  constructor(message: string, position?: number) {
    super(message)
    this.position = position
  }
}

/** A pattern of a user, in the syntax of RE2. */
export class UserPattern {
  readonly #pattern: RE2JS
  readonly #programSize: number
  /** Names of the groups by their number; undefined for groups without a name. */
  readonly groups: readonly (string | undefined)[]

  /** @throws PatternFault */
  constructor(source: string, engine: PatternEngine) {
    if (source.length > PATTERN_LENGTH_MAX)
      throw new PatternFault(`the pattern has ${source.length} characters; the most are ${PATTERN_LENGTH_MAX}`)
    try {
      this.#pattern = engine.compile(source)
    } catch (error) {
      throw describe(error as Error, source)
    }
    this.#programSize = this.#pattern.programSize()
    if (this.#programSize > PROGRAM_SIZE_MAX)
      throw new PatternFault(
        `the pattern compiles to ${this.#programSize} instructions; the most are ${PROGRAM_SIZE_MAX}. Repeat less`,
      )
    const groups = new Array<string | undefined>(this.#pattern.groupCount() + 1)
    for (const [name, index] of Object.entries(this.#pattern.namedGroups())) groups[index] = name
    this.groups = groups
  }

  /** Whether the pattern occurs in the text, or why that was not looked for. */
  test(text: string, budget: WorkBudget): boolean | string {
    return this.#refusal(text, budget) ?? this.#pattern.test(text)
  }

  /** The texts of all groups of the first match, null when there is no match, or why there was no search. */
  exec(text: string, budget: WorkBudget): readonly (string | undefined)[] | null | string {
    const refusal = this.#refusal(text, budget)
    if (refusal !== undefined) return refusal
    const matcher = this.#pattern.matcher(text)
    if (!matcher.find()) return null
    return Array.from({ length: this.groups.length }, (_, group) => matcher.group(group) ?? undefined)
  }

  #refusal(text: string, budget: WorkBudget): string | undefined {
    if (text.length > TEXT_LENGTH_MAX)
      return `the text is longer than the ${TEXT_LENGTH_MAX} characters that patterns read`
    if (!budget.takeMatch(text.length, this.#programSize))
      return 'the patterns of the rules need too much time for the lines of this request'
    return undefined
  }
}

/** The message of the engine is "error parsing regexp: WHAT: `PART`". */
function describe(error: Error, source: string): PatternFault {
  const [, what = error.message, part] = /^error parsing regexp: ([^`]*?)(?:: `([\s\S]*)`)?$/.exec(error.message) ?? []
  const position = part === undefined || part === '' ? -1 : source.indexOf(part)
  const hint = /^\(\?(?:=|!|<[=!])/.test(part ?? '')
    ? '; patterns are of RE2, which has no look-ahead and no look-behind'
    : ''
  return new PatternFault(`${what}${part === undefined ? '' : `: ${part}`}${hint}`, position < 0 ? undefined : position)
}
