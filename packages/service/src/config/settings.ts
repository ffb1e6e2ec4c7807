import { z } from 'zod'
import { Secret } from './secret.js'

/** What the table of settings shows about a setting, besides its name. */
export interface SettingFacts {
  readonly description: string
  readonly unit?: string
  /** As text in the environment; undefined when there is no default. */
  readonly default?: string
  readonly limits?: string
  readonly isSecret?: boolean
  /** Whether problems leave its value out, because a wrong one may hold a password. */
  readonly isHidden?: boolean
  readonly isOptional?: boolean
  /** Name of the setting whose value this one has when it is not set. */
  readonly sameAs?: string
}

/** One environment variable: a zod schema from its text to its value, with its facts. */
export type Setting<T> = z.ZodType<T, string | undefined>

export interface Common<T> {
  /** The meaning of the setting for an operator: lower case, without a full stop. */
  readonly description: string
  /** Without a default the variable must be set, unless `optional`. */
  readonly default?: T
}
export interface Optional {
  readonly optional: true
}

const factsOf = new WeakMap<z.ZodType, SettingFacts>()

/** The facts of a setting made by one of the functions below. */
export function settingFacts(schema: unknown): SettingFacts | undefined {
  return schema instanceof z.ZodType ? factsOf.get(schema) : undefined
}

/** Attaches the facts of a setting to its schema. */
export function build<T>(
  parser: z.ZodType<T, string>,
  options: Common<string | number | boolean | readonly string[]> & Partial<Optional>,
  facts: Omit<SettingFacts, 'description' | 'default' | 'isOptional'>,
): Setting<T> {
  const fallback = options.default === undefined ? undefined : String(options.default)
  const schema =
    options.optional === true ? parser.optional() : fallback === undefined ? parser : parser.prefault(fallback)
  factsOf.set(schema, {
    ...facts,
    description: options.description,
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(options.optional === true ? { isOptional: true } : {}),
  })
  return schema as Setting<T>
}

export interface NumberOptions extends Common<number> {
  readonly min?: number
  readonly max?: number
  /** What the number counts or measures: `ms`, `bytes`, `events`. */
  readonly unit?: string
  /** Name of the setting whose value this one has when it is not set; `default` is the default of that one. */
  readonly sameAs?: string
}

function numeric(pattern: RegExp, kind: string, options: NumberOptions & Partial<Optional>): Setting<number> {
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY, unit } = options
  const limits = describeLimits(options.min, options.max)
  const sentence = `must be ${kind}${limits === undefined ? '' : ` ${limits}`}${unit === undefined ? '' : ` (${unit})`}`
  const limited = z
    .string()
    .regex(pattern, sentence)
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: sentence })
  return build(limited, options, {
    ...(unit === undefined ? {} : { unit }),
    ...(limits === undefined ? {} : { limits }),
    ...(options.sameAs === undefined ? {} : { sameAs: options.sameAs }),
  })
}

function describeLimits(min: number | undefined, max: number | undefined): string | undefined {
  if (min !== undefined && max !== undefined) return `from ${min} to ${max}`
  if (min !== undefined) return `of at least ${min}`
  return max === undefined ? undefined : `of at most ${max}`
}

/** A whole number. */
export function integer(options: NumberOptions & Optional): Setting<number | undefined>
export function integer(options: NumberOptions): Setting<number>
export function integer(options: NumberOptions & Partial<Optional>): Setting<number | undefined> {
  return numeric(/^[+-]?\d{1,15}$/, 'a whole number', options)
}

/** A number, fractions allowed. */
export function decimal(options: NumberOptions & Optional): Setting<number | undefined>
export function decimal(options: NumberOptions): Setting<number>
export function decimal(options: NumberOptions & Partial<Optional>): Setting<number | undefined> {
  return numeric(/^[+-]?(\d+\.?\d*|\.\d+)$/, 'a number', options)
}

/** A TCP port; 0 lets the system choose. */
export function port(options: Common<number>): Setting<number> {
  return integer({ ...options, min: 0, max: 65_535 })
}

/** What a text must be besides not empty. */
interface TextRule {
  /** Returns what is wrong with the value, as a clause that begins with "must"; undefined when nothing is. */
  readonly check?: (value: string) => string | undefined
}

interface TextOptions extends Common<string>, TextRule {
  /** Whether problems leave the value out, because a wrong one may hold a password. Default false. */
  readonly isHidden?: boolean
}

export function text(options: TextOptions & Optional): Setting<string | undefined>
export function text(options: TextOptions): Setting<string>
export function text(options: TextOptions & Partial<Optional>): Setting<string | undefined> {
  const parser = z.string().trim().min(1, 'must not be blank')
  return build(withCheck(parser, options.check), options, options.isHidden === true ? { isHidden: true } : {})
}

function withCheck<T extends z.ZodType<string, string>>(
  parser: T,
  check: TextRule['check'],
): z.ZodType<string, string> {
  if (check === undefined) return parser
  return parser.superRefine((value, context) => {
    const problem = check(value)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })
}

/** A name that is part of keys in Redis and of rows in PostgreSQL. */
export function name(options: Common<string> & Optional): Setting<string | undefined>
export function name(options: Common<string>): Setting<string>
export function name(options: Common<string> & Partial<Optional>): Setting<string | undefined> {
  const parser = z.string().regex(/^[\w.:-]{1,100}$/, 'must have 1 to 100 letters, digits, and . : _ -')
  return build(parser, options, {})
}

/** `true`, `false`, `1` or `0`. */
export function boolean(options: Common<boolean>): Setting<boolean> {
  const parser = z
    .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
    .transform((value) => value === 'true' || value === '1')
  return build(parser, options, { limits: 'true or false' })
}

/** One of a closed set of words. */
export function choice<const Choice extends string>(
  choices: readonly Choice[],
  options: Common<NoInfer<Choice>> & Optional,
): Setting<Choice | undefined>
export function choice<const Choice extends string>(
  choices: readonly Choice[],
  options: Common<NoInfer<Choice>>,
): Setting<Choice>
export function choice<const Choice extends string>(
  choices: readonly Choice[],
  options: Common<NoInfer<Choice>> & Partial<Optional>,
): Setting<Choice | undefined> {
  const limits = choices.join(', ')
  return build(
    z.enum(choices, { error: `must be one of ${limits}` }) as unknown as z.ZodType<Choice, string>,
    options,
    { limits },
  )
}

interface ListRule {
  /** Whether one of the texts is allowed, and what each must be, for the message. */
  readonly items?: { readonly are: string; readonly isValid: (item: string) => boolean }
}

/** Texts separated by commas; spaces around each are dropped. */
export function list(options: Common<readonly string[]> & ListRule): Setting<readonly string[]> {
  const { items } = options
  const parser = z.string().transform((value): readonly string[] =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  )
  const checked = items
    ? parser.refine((values) => values.every(items.isValid), { error: `must be ${items.are}, separated by commas` })
    : parser
  return build(checked, options, { limits: 'separated by commas' })
}

/** An absolute URL with one of the protocols, written like `http:`. */
export function url(
  options: Common<string> & Optional & { readonly protocols?: readonly string[] },
): Setting<string | undefined>
export function url(options: Common<string> & { readonly protocols?: readonly string[] }): Setting<string>
export function url(
  options: Common<string> & Partial<Optional> & { readonly protocols?: readonly string[] },
): Setting<string | undefined> {
  const { protocols } = options
  const allowed =
    protocols === undefined
      ? 'a URL'
      : `a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`
  const parser = z.string().refine((value) => isUrl(value, protocols), { error: `must be ${allowed}` })
  return build(parser, options, {})
}

function isUrl(value: string, protocols: readonly string[] | undefined): boolean {
  return URL.canParse(value) && (protocols === undefined || protocols.includes(new URL(value).protocol))
}

interface SecretOptions extends Common<string>, TextRule {
  readonly minLength?: number
}

/** A value that is never printed. It may also come from a file named by the variable with `_FILE` added. */
export function secret(options: SecretOptions & Optional): Setting<Secret | undefined>
export function secret(options: SecretOptions): Setting<Secret>
export function secret(options: SecretOptions & Partial<Optional>): Setting<Secret | undefined> {
  const { minLength = 1 } = options
  const parser = z.string().min(minLength, `must have at least ${minLength} characters`)
  return build(
    withCheck(parser, options.check).transform((value) => new Secret(value)),
    options,
    { isSecret: true },
  )
}
