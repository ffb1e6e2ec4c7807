import { defineErrors } from '@millrace/contracts'
import { compileGrok } from './compile-grok.js'
import { compileStep, type NamedStep } from './compile-step.js'
import { type ConditionDeps, compileMatch } from './condition.js'
import { RuleFaults } from './rule-faults.js'
import { ObjectReader } from './rule-reader.js'
import type { Condition } from './step.js'
import { loadPatternEngine, PatternFault } from './user-pattern.js'

/** A rule that can be run. */
export interface CompiledRule {
  readonly name: string
  readonly match: Condition
  readonly unless: Condition
  readonly steps: readonly NamedStep[]
}

/** The rules of a tenant in their order. */
export interface CompiledRules {
  readonly rules: readonly CompiledRule[]
}

export const transformErrors = defineErrors({
  TRANSFORMS_INVALID: ['invalid', 'the rules are not valid'],
  TRANSFORMS_CHANGED: ['conflict', 'the rules were changed by someone else', { httpStatus: 412 }],
  TRANSFORMS_UNAVAILABLE: [
    'unavailable',
    'the rules for log lines have not been read yet, because PostgreSQL does not answer',
  ],
})

/** Limits of the rules of a tenant. */
export const RULE_LIMITS = {
  rulesMax: 100,
  stepsPerRuleMax: 20,
  stepsMax: 500,
  patternsMax: 100,
  documentCharactersMax: 1_048_576,
}

const never: Condition = () => false
const always: Condition = () => true

/**
 * Compiles a document of rules.
 * @throws (rejects with) TRANSFORMS_INVALID with all mistakes in `details.errors`, each with the place in the document and, in a pattern or template,
 * the position of the character
 */
export async function compileRules(document: unknown): Promise<CompiledRules> {
  const engine = await loadPatternEngine()
  const faults = new RuleFaults()
  const rules = compileDocument(document, { engine, faults })
  const [first] = faults.list
  if (first === undefined) return { rules }
  const more = faults.list.length > 1 ? `; there are ${faults.list.length - 1} more mistakes` : ''
  const { field, message, position } = first
  const where = position === undefined ? field : `${field}, character ${position}`
  throw transformErrors.TRANSFORMS_INVALID({
    message: `${where}: ${message}${more}`,
    details: { field, ...(position !== undefined && { position }), errors: faults.list },
  })
}

function compileDocument(document: unknown, deps: ConditionDeps): CompiledRule[] {
  const { faults } = deps
  const reader = ObjectReader.of(document, '', ['rules', 'patterns'], faults)
  if (reader === undefined) return []
  const ownPatterns = reader.has('patterns') ? readPatterns(reader, faults) : {}
  const list = reader.raw('rules')
  if (!Array.isArray(list) || list.length > RULE_LIMITS.rulesMax) {
    faults.add('rules', `must be a list of at most ${RULE_LIMITS.rulesMax} rules`)
    return []
  }
  const rules = list.flatMap((rule, index) => compileRule(rule, `rules[${index}]`, { ...deps, ownPatterns }) ?? [])
  const steps = rules.reduce((sum, rule) => sum + rule.steps.length, 0)
  if (steps > RULE_LIMITS.stepsMax) faults.add('rules', `have ${steps} steps; the most are ${RULE_LIMITS.stepsMax}`)
  const names = new Set<string>()
  for (const [index, { name }] of rules.entries()) {
    if (names.has(name)) faults.add(`rules[${index}].name`, 'is the name of another rule')
    names.add(name)
  }
  return rules
}

function readPatterns(reader: ObjectReader, faults: RuleFaults): Record<string, string> {
  const value = reader.raw('patterns')
  const entries =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined
  if (entries === undefined || entries.length > RULE_LIMITS.patternsMax) {
    faults.add(
      'patterns',
      `must be an object with at most ${RULE_LIMITS.patternsMax} patterns for grok, each with its name`,
    )
    return {}
  }
  const patterns = Object.fromEntries(
    entries.filter(([name, pattern]) => {
      const isRight = /^\w{1,64}$/.test(name) && typeof pattern === 'string' && pattern !== '' && pattern.length <= 4096
      if (!isRight)
        faults.add(
          `patterns.${name.slice(0, 100)}`,
          'must be a text of at most 4,096 characters with a name of letters, digits and underscores',
        )
      return isRight
    }),
  ) as Record<string, string>
  for (const [name, pattern] of Object.entries(patterns)) {
    try {
      compileGrok(pattern, patterns)
    } catch (error) {
      if (!(error instanceof PatternFault)) throw error
      faults.add(`patterns.${name}`, error.message, error.position)
    }
  }
  return patterns
}

type RuleDeps = ConditionDeps & { readonly ownPatterns: Readonly<Record<string, string>> }

function compileRule(value: unknown, at: string, deps: RuleDeps): CompiledRule | undefined {
  const { faults } = deps
  const reader = ObjectReader.of(value, at, ['name', 'match', 'unless', 'steps', 'enabled'], faults)
  if (reader === undefined) return undefined
  const name = reader.text('name', 100)
  const match = reader.has('match') ? compileMatch(reader.raw('match'), reader.place('match'), deps) : always
  const unless = reader.has('unless') ? compileMatch(reader.raw('unless'), reader.place('unless'), deps) : never
  const isEnabled = reader.has('enabled') ? reader.flag('enabled') : true
  const list = reader.raw('steps')
  if (!Array.isArray(list) || list.length === 0 || list.length > RULE_LIMITS.stepsPerRuleMax)
    return reader.fault('steps', `must be a list of 1 to ${RULE_LIMITS.stepsPerRuleMax} steps`)
  const steps = list.flatMap((step, index) => compileStep(step, `${reader.place('steps')}[${index}]`, deps) ?? [])
  if (name === undefined || match === undefined || unless === undefined) return undefined
  return { name, match: isEnabled ? match : never, unless, steps }
}
