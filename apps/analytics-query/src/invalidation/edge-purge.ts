import { setTimeout as sleep } from 'node:timers/promises'
import { MINUTE_MS } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import { EVERY_ANSWER } from './answer-tags.js'

/** Keys per request, so that the header stays below 8 KiB. */
const KEYS_A_REQUEST = 200
/** With more pending keys, everything is purged instead. */
const KEYS_MAX = 20_000
const RETRY_FIRST_MS = 1_000
const RETRY_LAST_MS = MINUTE_MS
const TIMEOUT_MS = 10_000

export interface EdgePurgeConfig {
  readonly url: string
  readonly method: 'PURGE' | 'POST'
  /** Name and value of the header that authenticates the request. */
  readonly header: readonly [string, string] | undefined
  /**
   * Every purge is repeated after this time, in ms. An answer that was on its way to the edge during the first purge is
   * cached afterwards, so this must be longer than an answer can be on its way.
   */
  readonly againMs: number
}

/** Purges answers from an edge by requests with the header `Surrogate-Key`, which are repeated until they succeed. */
export class EdgePurge {
  readonly #config: EdgePurgeConfig
  readonly #logger: Logger
  readonly #stopping = new AbortController()
  readonly #timers = new Set<NodeJS.Timeout>()
  #due = new Set<string>()
  #running: Promise<void> | undefined

  constructor(config: EdgePurgeConfig, deps: { readonly logger: Logger }) {
    this.#config = config
    this.#logger = deps.logger
  }

  purge(keys: readonly string[] | 'all'): void {
    this.#add(keys)
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#add(keys)
    }, this.#config.againMs)
    timer.unref()
    this.#timers.add(timer)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const timer of this.#timers) clearTimeout(timer)
    await this.#running
  }

  #add(keys: readonly string[] | 'all'): void {
    if (keys === 'all' || this.#due.size + keys.length > KEYS_MAX) this.#due = new Set([EVERY_ANSWER])
    else for (const key of keys) this.#due.add(key)
    this.#running ??= this.#send().finally(() => {
      this.#running = undefined
    })
  }

  async #send(): Promise<void> {
    let delayMs = RETRY_FIRST_MS
    while (this.#due.size > 0 && !this.#stopping.signal.aborted) {
      const keys = [...this.#due].slice(0, KEYS_A_REQUEST)
      // Before the request, since keys that are added during it need another one.
      for (const key of keys) this.#due.delete(key)
      try {
        await this.#request(keys)
        if (delayMs > RETRY_FIRST_MS) this.#logger.info('purging the edge works again')
        delayMs = RETRY_FIRST_MS
      } catch (error) {
        for (const key of keys) this.#due.add(key)
        if (this.#stopping.signal.aborted) return
        if (delayMs === RETRY_FIRST_MS)
          this.#logger.warn('purging the edge failed and is retried; until then it may serve outdated answers', {
            error,
          })
        await sleep(delayMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
        delayMs = Math.min(RETRY_LAST_MS, delayMs * 2)
      }
    }
  }

  async #request(keys: readonly string[]): Promise<void> {
    const { url, method, header } = this.#config
    const response = await fetch(url, {
      method,
      headers: { 'surrogate-key': keys.join(' '), ...(header && { [header[0]]: header[1] }) },
      signal: AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    await response.arrayBuffer()
    if (!response.ok) throw new Error(`the edge answered ${response.status}`)
  }
}
