const BITS = 11
const BUCKETS = 1 << BITS

/** Work memory of `orderRows`, reused between calls; as large as the largest batch so far. */
let scratch = new Uint32Array(1024)
const counts = new Uint32Array(BUCKETS)

/**
 * The order in which PostgreSQL stores rows fastest: by day, then tenant, then user hash, otherwise unchanged. The
 * top 22 bits of the hash are enough to place a user's rows on the same index pages. A radix sort: about 0.015 µs per
 * row whatever their number. `keys.users` are the high words of the hashes; `days` and `tenants` are numbers below
 * 2,048, null when all rows have the same.
 */
export function orderRows(
  rows: number,
  keys: { users: Uint32Array; tenants: Uint16Array | null; days: Uint16Array | null },
): Uint32Array {
  if (scratch.length < rows) scratch = new Uint32Array(rows * 2)
  const order = new Uint32Array(rows)
  for (let row = 0; row < rows; row++) order[row] = row
  passByUser(order, scratch, keys.users, 32 - 2 * BITS)
  passByUser(scratch, order, keys.users, 32 - BITS)
  if (keys.tenants !== null) passBySmall(order, keys.tenants)
  if (keys.days !== null) passBySmall(order, keys.days)
  return order
}

/** One stable counting pass. The top bit is flipped because PostgreSQL compares the hash as a signed number. */
function passByUser(from: Uint32Array, to: Uint32Array, users: Uint32Array, shift: number): void {
  const rows = Math.min(from.length, to.length)
  counts.fill(0)
  for (let i = 0; i < rows; i++) {
    const bucket = (((users[i] as number) ^ 0x8000_0000) >>> shift) & (BUCKETS - 1)
    counts[bucket] = (counts[bucket] as number) + 1
  }
  startsOfCounts()
  for (let i = 0; i < rows; i++) {
    const row = from[i] as number
    const bucket = (((users[row] as number) ^ 0x8000_0000) >>> shift) & (BUCKETS - 1)
    const at = counts[bucket] as number
    counts[bucket] = at + 1
    to[at] = row
  }
}

function passBySmall(order: Uint32Array, keys: Uint16Array): void {
  counts.fill(0)
  for (let i = 0; i < order.length; i++) {
    const bucket = (keys[i] as number) & (BUCKETS - 1)
    counts[bucket] = (counts[bucket] as number) + 1
  }
  startsOfCounts()
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as number
    const bucket = (keys[row] as number) & (BUCKETS - 1)
    const at = counts[bucket] as number
    counts[bucket] = at + 1
    scratch[at] = row
  }
  order.set(scratch.subarray(0, order.length))
}

function startsOfCounts(): void {
  let start = 0
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = counts[bucket] as number
    counts[bucket] = start
    start += count
  }
}
