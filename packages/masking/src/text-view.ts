/** A text in UTF-8 while it is searched: the bytes from `start` to `end`, with what was found before `done`. */
export interface TextView {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
  /** End of the last finding. What stands before it is replaced, so nothing may begin in front of it. */
  done: number
}

/** A part of a text that is replaced. */
export interface ByteFinding {
  readonly rule: BuiltInRule
  readonly start: number
  readonly end: number
  /** ASCII. */
  readonly text: string
}

/** What each built-in rule shows instead of what it finds. */
export const BUILT_IN_REPLACEMENTS = {
  field: '[masked]',
  url_password: '[masked]',
  authorization: '[masked]',
  email: '[email]',
  card: '[card]',
  ssn: '[ssn]',
  phone: '[phone]',
  iban: '[iban]',
  jwt: '[jwt]',
  key: '[key]',
} as const

/** Name of a built-in rule. */
export type BuiltInRule = keyof typeof BUILT_IN_REPLACEMENTS

/** The byte in front of `at` in the masked text, or undefined at its start. In place of a finding it is a bracket. */
export function byteBefore(view: TextView, at: number): number | undefined {
  if (at <= view.start) return undefined
  return at === view.done ? 0x5d : view.bytes[at - 1]
}

/** The byte at `at`, or undefined outside of the text. */
export function byteAt(view: TextView, at: number): number | undefined {
  return at < view.end && at >= view.start ? view.bytes[at] : undefined
}
