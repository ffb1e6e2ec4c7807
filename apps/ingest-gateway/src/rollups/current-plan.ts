import type { Logger } from '@millrace/logger'
import { type RollupDefinition, RollupPlan } from './rollup-plan.js'

/** The plan in force. `refresh` looks for changed definitions; when it cannot, the last ones stay and it says so once. */
export class CurrentPlan {
  #plan: RollupPlan
  #text: string
  readonly #load: () => Promise<RollupDefinition[]>
  readonly #slotsMax: number
  readonly #logger: Logger
  #isFailing = false

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
    try {
      const definitions = await this.#load()
      const text = JSON.stringify(definitions)
      if (text !== this.#text) {
        this.#plan = new RollupPlan(definitions, this.#slotsMax)
        this.#text = text
        this.#logger.info('the definitions of rollups changed', { definitions: definitions.length })
      }
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing)
        this.#logger.warn('the definitions of rollups cannot be read, the last ones stay', { error })
      this.#isFailing = true
    }
  }
}
