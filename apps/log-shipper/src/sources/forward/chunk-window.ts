/**
 * Remembers the chunks that were taken, so that a chunk which a client sends again, because the acknowledgement was lost or came too late, is stored
 * once. Keeps the last `size` chunks of this process in memory; a restart forgets them.
 */
export class ChunkWindow {
  readonly #size: number
  /** Insertion order is the order of forgetting. */
  readonly #chunks = new Map<string, Promise<void>>()

  constructor(size: number) {
    this.#size = size
  }

  /**
   * Runs `take` for a chunk that is not known, and resolves when it is stored. A known chunk waits for the first one with its name, and is not taken
   * again. A chunk that could not be taken is forgotten.
   */
  async once(tenantId: number, chunk: Buffer, take: () => Promise<void>): Promise<{ readonly isRepeated: boolean }> {
    const name = `${tenantId} ${chunk.toString('latin1')}`
    const known = this.#chunks.get(name)
    if (known !== undefined) {
      await known
      return { isRepeated: true }
    }
    const taken = take()
    this.#chunks.set(name, taken)
    this.#forgetOldest()
    try {
      await taken
    } catch (error) {
      if (this.#chunks.get(name) === taken) this.#chunks.delete(name)
      throw error
    }
    return { isRepeated: false }
  }

  #forgetOldest(): void {
    if (this.#chunks.size <= this.#size) return
    const [oldest] = this.#chunks.keys()
    if (oldest !== undefined) this.#chunks.delete(oldest)
  }
}
