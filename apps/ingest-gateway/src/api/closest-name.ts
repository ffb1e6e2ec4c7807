/** The known name that a misspelled one most likely means: equal except for case, `_` and `-`, or at most two letters away. */
export function closestName(name: string, known: readonly string[]): string | undefined {
  const plain = toPlain(name)
  const same = known.find((one) => toPlain(one) === plain)
  if (same !== undefined) return same
  // Of short names almost every other one is two letters away.
  const distanceMax = plain.length < 5 ? 1 : 2
  let closest: string | undefined
  let least = distanceMax + 1
  for (const one of known) {
    const distance = editDistance(plain, toPlain(one))
    if (distance < least) [closest, least] = [one, distance]
  }
  return closest
}

/** Longer names are not misspelled ones. */
const LENGTH_MAX = 64

function toPlain(name: string): string {
  return name.slice(0, LENGTH_MAX).toLowerCase().replaceAll(/[_-]/g, '')
}

/** How many letters have to be added, removed or replaced. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[b.length] as number
}
