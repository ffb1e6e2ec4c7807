import type { PartitionDescription } from '../driver/stream-driver.js'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'

const ASK_AGAIN_MS = 500

/** Asks again for partitions that the driver could not describe, until it can. Nothing else waits for its answers, which may take seconds. */
export class PartitionProbe<Prepared, Tx extends SqlTransaction> {
  readonly #context: ConsumerContext<Prepared, Tx>
  readonly #described: (descriptions: readonly PartitionDescription[]) => void
  readonly #missing = new Set<number>()
  #timer: NodeJS.Timeout | undefined

  /** @param described called with the partitions that can be described again; they are not asked for any more */
  constructor(
    context: ConsumerContext<Prepared, Tx>,
    described: (descriptions: readonly PartitionDescription[]) => void,
  ) {
    this.#context = context
    this.#described = described
  }

  get size(): number {
    return this.#missing.size
  }

  has(partition: number): boolean {
    return this.#missing.has(partition)
  }

  add(partitions: readonly number[]): void {
    if (partitions.length === 0) return
    this.#context.logger.warn('the stream cannot tell where partitions end; they are not read until it can', {
      partitions,
    })
    for (const partition of partitions) this.#missing.add(partition)
    this.#timer ??= setTimeout(() => void this.#ask(), ASK_AGAIN_MS)
  }

  delete(partition: number): void {
    this.#missing.delete(partition)
  }

  close(): void {
    this.#missing.clear()
    clearTimeout(this.#timer)
  }

  async #ask(): Promise<void> {
    const { driver, stream } = this.#context.config
    const found = await driver.describe(stream, [...this.#missing]).catch(() => [])
    const described = found.filter(({ partition }) => this.#missing.delete(partition))
    this.#timer = this.#missing.size > 0 ? setTimeout(() => void this.#ask(), ASK_AGAIN_MS) : undefined
    if (described.length > 0) this.#described(described)
  }
}
