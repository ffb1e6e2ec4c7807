import { isCopy, type Statement, type Step } from './statement.js'

/** Plans that one connection keeps; one over 90 day partitions takes half to one MB of the server's memory. */
const PLANS_MAX = 10

/**
 * A plan that serves all values outlives the number of rows there are now, and does not know how many a value has. So it neither reads a table from end to
 * end because it is empty today, nor sorts where it could hash because most values have few rows; and the costs of all partitions together call for
 * neither workers nor compiling, as few are read.
 */
const SETTINGS = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_sort: 'off',
  max_parallel_workers_per_gather: '0',
  jit: 'off',
} as const

/** Notes what the settings are, for RESTORE_PLAN_SETTINGS to set them back to. */
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

/** Until the end of the transaction. */
function set(name: string, value: string): string {
  return `set_config('${name}', ${value}, true)`
}

export function hasGenericPlan(step: Step): step is Statement {
  return !isCopy(step) && step.plan === 'generic'
}

/** What has to be run for a step, itself included. The settings end with the transaction, should it fail before they are taken back. */
export function withPlanSettings(step: Step): readonly Step[] {
  return hasGenericPlan(step) ? [USE_GENERIC_PLANS, step, RESTORE_PLAN_SETTINGS] : [step]
}

export function isPlanSetting(step: Step | undefined): boolean {
  return step === USE_GENERIC_PLANS || step === RESTORE_PLAN_SETTINGS
}

/** The prepared statements of one connection whose plans are kept: those used last. */
export class GenericPlans {
  /** By text, the one used longest ago first. */
  readonly #names = new Map<string, string>()
  #made = 0

  /** The name to prepare the statement under, and the one to be closed for it. A name never comes back, so a Close that got lost does no harm. */
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
