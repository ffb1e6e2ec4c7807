import type { Logger } from '@millrace/logger'
import { type RollupDefinition, RollupPlan } from './rollup-plan.js'

/** The rollup plan in use. `refresh` reads the definitions again; when that fails it throws and the plan stays as it was. */
export class CurrentPlan {
  #plan: RollupPlan
  #text: string
  readonly #load: () => Promise<RollupDefinition[]>
  readonly #slotsMax: number
  readonly #logger: Logger

  constructor(
    first: RollupDefinition[],
    deps: { load: () => Promise<RollupDefinition[]>; slotsMax: number; logger: Logger },
  ) {
    this.#plan = new RollupPlan(first, deps.slotsMax)
    this.#text = JSON.stringify(first)
    this.#load = deps.load
    this.#slotsMax = deps.slotsMax
    this.#logger = deps.logger
  }

  get(): RollupPlan {
    return this.#plan
  }

  async refresh(): Promise<void> {
    const definitions = await this.#load()
    const text = JSON.stringify(definitions)
    if (text === this.#text) return
    this.#plan = new RollupPlan(definitions, this.#slotsMax)
    this.#text = text
    this.#logger.info('the rollup definitions changed', { definitions: definitions.length })
  }
}
