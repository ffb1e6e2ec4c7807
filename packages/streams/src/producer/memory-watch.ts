import type { Logger } from '@millrace/logger'
import type { StreamDriver } from '../driver/stream-driver.js'

/** The stream counts as full until its memory is this far below the threshold again, as a share of the ceiling: the state must not flicker. */
const HYSTERESIS = 0.02

/** Watches whether the stream is near its memory ceiling, so that records are refused before the server refuses frames. */
export class MemoryWatch {
  readonly #shareMax: number
  readonly #driver: StreamDriver
  readonly #logger: Logger
  #isFull = false
  #isReachable = true
  #isPolling = false

  constructor(shareMax: number, { driver, logger }: { driver: StreamDriver; logger: Logger }) {
    this.#shareMax = shareMax
    this.#driver = driver
    this.#logger = logger
  }

  get isFull(): boolean {
    return this.#isFull
  }

  /** Whether the server answered the last poll. */
  get isReachable(): boolean {
    return this.#isReachable
  }

  /** The server has refused a frame because its memory is full. */
  noteRefusal(): void {
    this.#set(true, {})
  }

  /** Never rejects. A stream that does not answer does not count as full. */
  async poll(): Promise<void> {
    if (this.#isPolling) return
    this.#isPolling = true
    try {
      const { usedBytes, ceilingBytes } = await this.#driver.memory()
      this.#isReachable = true
      const share = ceilingBytes === undefined ? 0 : usedBytes / ceilingBytes
      this.#set(share >= this.#shareMax - (this.#isFull ? HYSTERESIS : 0), { usedBytes, ceilingBytes })
    } catch {
      this.#isReachable = false
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
