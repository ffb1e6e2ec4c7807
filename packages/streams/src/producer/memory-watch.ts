import type { Logger } from '@millrace/logger'
import type { StreamDriver } from '../driver/stream-driver.js'

/** The stream counts as full until it is so far below the threshold again, as a share of the ceiling: it must not flicker. */
const HYSTERESIS = 0.02

/** Knows whether the stream comes near its memory ceiling, so that records are refused before the server refuses frames. */
export class MemoryWatch {
  readonly #shareMax: number
  readonly #driver: StreamDriver
  readonly #logger: Logger
  #isFull = false
  #isPolling = false

  constructor(shareMax: number, { driver, logger }: { driver: StreamDriver; logger: Logger }) {
    this.#shareMax = shareMax
    this.#driver = driver
    this.#logger = logger
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /** The server itself refused a frame for want of memory. */
  refused(): void {
    this.#set(true, {})
  }

  /** Never rejects: a stream that does not answer is another matter. */
  async poll(): Promise<void> {
    if (this.#isPolling) return
    this.#isPolling = true
    try {
      const { usedBytes, ceilingBytes } = await this.#driver.memory()
      const share = ceilingBytes === undefined ? 0 : usedBytes / ceilingBytes
      this.#set(share >= this.#shareMax - (this.#isFull ? HYSTERESIS : 0), { usedBytes, ceilingBytes })
    } catch {
      this.#isFull = false
    } finally {
      this.#isPolling = false
    }
  }

  #set(isFull: boolean, fields: object): void {
    if (isFull !== this.#isFull) {
      if (isFull) this.#logger.warn('the stream is close to its memory ceiling and records are refused', { ...fields })
      else this.#logger.info('the stream has room again', { ...fields })
    }
    this.#isFull = isFull
  }
}
