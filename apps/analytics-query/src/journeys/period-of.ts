/** The index of the last period that begins at or before a time; `starts` are ascending. */
export function periodOf(starts: readonly number[], timeMs: number): number {
  let low = 0
  let high = starts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((starts[middle] as number) <= timeMs) low = middle
    else high = middle - 1
  }
  return low
}
