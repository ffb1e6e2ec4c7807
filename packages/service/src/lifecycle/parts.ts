import type { Logger } from '@millrace/logger'
import type { Started } from './lifecycle.js'
import { serviceErrors } from './service-errors.js'

/** The started parts of a service and their stops. */
export class Parts {
  readonly #logger: Logger
  readonly #now: () => number
  readonly #stops: { name: string; stop: Started<unknown>[1] }[] = []
  #stopped: Promise<readonly string[]> | undefined
  #current: string | undefined

  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger
    this.#now = now
  }

  async start<T>(name: string, fn: () => Started<T> | Promise<Started<T>>): Promise<T> {
    if (this.#stopped !== undefined)
      throw serviceErrors.STOPPING({ message: `${name} was not started because the service is stopping` })
    const [value, stop] = await fn()
    if (this.#stopped !== undefined) {
      // The stop began while this part was starting, so it is not among the stops.
      await stop()
      throw serviceErrors.STOPPING({ message: `${name} was stopped because the service is stopping` })
    }
    this.#stops.push({ name, stop })
    return value
  }

  /**
   * Stops all parts in reverse order. Each may use half of the time that is left of `timeoutMs`. A stop that fails is logged and the others go on;
   * resolves with the names of the parts whose stops failed.
   */
  stop(timeoutMs: number): Promise<readonly string[]> {
    this.#stopped ??= this.#stopAll(this.#now() + timeoutMs)
    return this.#stopped
  }

  /** The part that is stopping now, for the log line when it takes too long. */
  get current(): string | undefined {
    return this.#current
  }

  async #stopAll(deadline: number): Promise<readonly string[]> {
    const failed: string[] = []
    for (let part = this.#stops.pop(); part !== undefined; part = this.#stops.pop()) {
      this.#current = part.name
      try {
        await part.stop(Math.max(0, (deadline - this.#now()) / 2))
      } catch (error) {
        failed.push(part.name)
        this.#logger.error('a part of the service did not stop cleanly', { part: part.name, error })
      }
    }
    this.#current = undefined
    return failed
  }
}
