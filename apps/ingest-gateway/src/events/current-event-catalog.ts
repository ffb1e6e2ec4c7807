import type { Logger } from '@millrace/logger'
import type { RollupDefinition } from '@millrace/rollups'
import { EventCatalog } from './event-catalog.js'
import { WATCHED_SLOTS } from './event-table.js'

/** The event catalog of the rollup definitions that were read last. */
export class CurrentEventCatalog {
  #catalog: EventCatalog
  #text: string
  readonly #load: () => Promise<RollupDefinition[]>
  readonly #logger: Logger

  constructor(first: RollupDefinition[], deps: { load: () => Promise<RollupDefinition[]>; logger: Logger }) {
    this.#catalog = new EventCatalog(first)
    this.#text = JSON.stringify(first)
    this.#load = deps.load
    this.#logger = deps.logger
    this.#warnAboutUnwatched()
  }

  get(): EventCatalog {
    return this.#catalog
  }

  /** Reads the definitions and replaces the catalog when they have changed. When reading fails it throws and the catalog stays as it was. */
  async refresh(): Promise<void> {
    const definitions = await this.#load()
    const text = JSON.stringify(definitions)
    if (text === this.#text) return
    this.#catalog = new EventCatalog(definitions)
    this.#text = text
    this.#logger.info('the rollup definitions changed', { definitions: definitions.length })
    this.#warnAboutUnwatched()
  }

  #warnAboutUnwatched(): void {
    const { unwatched } = this.#catalog
    if (unwatched.length === 0) return
    const fields = { slots: WATCHED_SLOTS, properties: unwatched }
    this.#logger.warn(
      'rollups use more properties than the scanner can watch, so events are parsed for the rest',
      fields,
    )
  }
}
