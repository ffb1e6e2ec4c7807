import { isCopy, type Statement, type Step } from './statement.js'

/** Generic plans of one connection. A plan over 90 day partitions takes 0.5 to 1 MB of the server's memory. */
const PLANS_MAX = 10

/**
 * Settings for making a generic plan. It is used for a long time and for all values, so it must not depend on today's row counts: no sequential scan because
 * a table is empty today, no sort because most values have few rows. Only few of the partitions are read, so the summed cost of all partitions
 * must not lead to parallel workers or JIT.
 */
const SETTINGS = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_sort: 'off',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
} as const

/** Saves the current settings for RESTORE_PLAN_SETTINGS. */
export const USE_GENERIC_PLANS: Statement = {
  name: 'use_generic_plans',
  text: `select ${Object.entries(SETTINGS)
    .map(
      ([name, value]) => `${set(`millrace.before_${name}`, `current_setting('${name}')`)}, ${set(name, `'${value}'`)}`,
    )
    .join(', ')}`,
}

const RESTORE_PLAN_SETTINGS: Statement = {
  name: 'restore_plan_settings',
  text: `select ${Object.keys(SETTINGS)
    .map((name) => set(name, `current_setting('millrace.before_${name}')`))
    .join(', ')}`,
}

/** Sets it until the end of the transaction. */
function set(name: string, value: string): string {
  return `set_config('${name}', ${value}, true)`
}

/** Whether the step asks for a generic plan. */
export function hasGenericPlan(step: Step): step is Statement {
  return !isCopy(step) && step.plan === 'generic'
}

/** The step with the settings that it needs around it. If it fails before they are restored, they end with the transaction. */
export function withPlanSettings(step: Step): readonly Step[] {
  return hasGenericPlan(step) ? [USE_GENERIC_PLANS, step, RESTORE_PLAN_SETTINGS] : [step]
}

/** Whether the step was added by `withPlanSettings`, so that its result is not returned. */
export function isPlanSetting(step: Step | undefined): boolean {
  return step === USE_GENERIC_PLANS || step === RESTORE_PLAN_SETTINGS
}

/** The statements of one connection that have a generic plan: those used last. */
export class GenericPlans {
  /** Names by text, least recently used first. */
  readonly #names = new Map<string, string>()
  #made = 0

  /** Returns the name to prepare the statement under, and the name to close. Names are never used twice, so a lost Close does no harm. */
  use(text: string): { readonly name: string; readonly closed: string | undefined } {
    const known = this.#names.get(text)
    const name = known ?? `generic_plan_${++this.#made}`
    this.#names.delete(text)
    this.#names.set(text, name)
    if (this.#names.size <= PLANS_MAX) return { name, closed: undefined }
    const [oldest] = this.#names
    if (oldest !== undefined) this.#names.delete(oldest[0])
    return { name, closed: oldest?.[1] }
  }
}
