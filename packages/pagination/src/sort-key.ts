/** Orders items: compared from the left; null before everything, numbers by size before texts, texts by code units. */
export type SortKey = readonly (string | number | null)[]

/** Compares two keys value by value: null first, then numbers, then texts by their UTF-16 units. */
export function compareSortKeys(a: SortKey, b: SortKey): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [left, right] = [a[i] ?? null, b[i] ?? null]
    if (left === right) continue
    if (left === null) return -1
    if (right === null) return 1
    if (typeof left !== typeof right) return typeof left === 'number' ? -1 : 1
    return left < right ? -1 : 1
  }
  return 0
}
