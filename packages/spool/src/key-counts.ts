import type { SpoolKey } from './spool-codec.js'

/** Numbers of records, by key and in total. */
export class KeyCounts {
  readonly #counts = new Map<SpoolKey, number>()
  total = 0

  of(key: SpoolKey): number {
    return this.#counts.get(key) ?? 0
  }

  add(key: SpoolKey, records: number): void {
    const sum = this.of(key) + records
    this.total += records
    if (sum === 0) this.#counts.delete(key)
    else this.#counts.set(key, sum)
  }

  addAll(other: KeyCounts, sign: 1 | -1): void {
    for (const [key, records] of other.#counts) this.add(key, sign * records)
  }
}
