import type { Names } from './generations.js'

/** Beyond this number of names the whole namespace is invalidated instead. */
const namesMax = 10_000

/** Invalidations that Redis has not confirmed. Sending one twice does no harm, losing one does. */
export class UnsentInvalidations {
  #held: Names[] = []
  #names = 0

  get isEmpty(): boolean {
    return this.#held.length === 0
  }

  add(names: Names): void {
    this.#held.push(names)
    this.#names += 1 + (names.tags?.length ?? 0) + (names.keys?.length ?? 0) + (names.globs?.length ?? 0)
    if (this.#names > namesMax) this.#held = [{ isEverything: true }]
  }

  /** Removes all and returns them as one invalidation; add it again if sending fails. */
  take(): Names | undefined {
    const all = this.#held
    if (all.length === 0) return undefined
    this.#held = []
    this.#names = 0
    if (all.some(({ isEverything }) => isEverything === true)) return { isEverything: true }
    return {
      tags: all.flatMap(({ tags }) => tags ?? []),
      keys: all.flatMap(({ keys }) => keys ?? []),
      globs: all.flatMap(({ globs }) => globs ?? []),
    }
  }
}
