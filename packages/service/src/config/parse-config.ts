import { readFileSync } from 'node:fs'
import type { z } from 'zod'
import { type ConfigSchema, settingsOf } from './define-config.js'
import type { SettingFacts } from './settings.js'

/** Characters of a value that a problem shows. */
const VALUE_LENGTH_MAX = 60

/** All problems of a configuration, one sentence each, without values of secrets. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Parses the environment. An empty variable counts as not set, because compose files and charts cannot leave a variable out.
 * @throws ConfigError with all problems at once
 */
export function parseConfig<Schema extends ConfigSchema>(schema: Schema, env: Environment): z.output<Schema> {
  const problems: string[] = []
  const facts = settingsOf(schema)
  const values: Record<string, string | undefined> = {}
  for (const [name, fact] of facts) {
    const value = readVariable(name, fact, env, problems)
    if (value !== undefined) values[name] = value
  }
  for (const [name, { sameAs }] of facts) {
    const other = sameAs === undefined ? undefined : values[sameAs]
    if (values[name] === undefined && other !== undefined) values[name] = other
  }
  const result = schema.safeParse(values)
  if (!result.success) {
    const unreadable = new Set(problems.map((problem) => problem.split(' ', 1)[0]?.replace(/_FILE$/, '')))
    for (const issue of result.error.issues) {
      const name = String(issue.path[0] ?? '')
      if (!unreadable.has(name)) problems.push(toSentence(name, issue.message, facts.get(name), values[name]))
    }
    throw new ConfigError(problems)
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return result.data as z.output<Schema>
}

function readVariable(name: string, fact: SettingFacts, env: Environment, problems: string[]): string | undefined {
  const value = env[name] === '' ? undefined : env[name]
  const file = fact.isSecret === true ? env[`${name}_FILE`] : undefined
  if (file === undefined || file === '') return value
  if (value !== undefined) {
    problems.push(`${name} and ${name}_FILE are both set: set one of them.`)
    return value
  }
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    problems.push(
      `${name}_FILE is ${file}, which cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'}).`,
    )
    return undefined
  }
}

function toSentence(name: string, message: string, fact: SettingFacts | undefined, value: string | undefined): string {
  // The message of a rule over several settings is a whole sentence already.
  if (fact === undefined) return name === '' ? message : `${name} ${message}.`
  if (value === undefined) return `${name} is not set: ${fact.description}.`
  return fact.isSecret === true || fact.isHidden === true
    ? `${name} ${message}.`
    : `${name} ${message}, but is "${shorten(value)}".`
}

/** A value may be a whole JSON document. */
function shorten(value: string): string {
  const line = value.replace(/\s+/g, ' ')
  return line.length > VALUE_LENGTH_MAX ? `${line.slice(0, VALUE_LENGTH_MAX)}…` : line
}
