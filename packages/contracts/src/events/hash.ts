/**
 * The two 32-bit lanes of a 64-bit hash of a text, for partitioning, deduplication and distinct counts.
 * It is not cryptographic: a tenant can choose ids of its own that collide, but not with those of another tenant, because the tenant is the seed.
 * Based on the public-domain cyrb53 by bryc, with both lanes kept whole.
 */
export interface Hash64 {
  lo: number
  hi: number
}

/** Writes the hash of `text` under `seed` into `out` (unsigned 32-bit lanes) and returns it. Allocates nothing. */
export function hashText(text: string, seed: number, out: Hash64): Hash64 {
  let a = startA(seed)
  let b = startB(seed)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 2654435761)
    b = Math.imul(b ^ code, 1597334677)
  }
  return finish(a, b, out)
}

/** The same hash as `hashText`, for the text in bytes `start` to `end` (exclusive) of `bytes`, which must be UTF-8. */
export function hashBytes(bytes: Buffer, start: number, end: number, seed: number, out: Hash64): Hash64 {
  let a = startA(seed)
  let b = startB(seed)
  for (let i = start; i < end; i++) {
    const code = bytes[i] as number
    if (code > 0x7f) return hashText(bytes.toString('utf8', start, end), seed, out)
    a = Math.imul(a ^ code, 2654435761)
    b = Math.imul(b ^ code, 1597334677)
  }
  return finish(a, b, out)
}

// The seed is multiplied before the first character. With XOR alone, seed 1 with 'b' would equal seed 2 with 'a', and the message of one tenant
// would be taken for a duplicate of another's.
function startA(seed: number): number {
  return Math.imul(0xdeadbeef ^ seed, 2654435761)
}

function startB(seed: number): number {
  return Math.imul(0x41c6ce57 ^ seed, 1597334677)
}

function finish(laneA: number, laneB: number, out: Hash64): Hash64 {
  let a = laneA
  let b = laneB
  a = Math.imul(a ^ (a >>> 16), 2246822507)
  a ^= Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507)
  b ^= Math.imul(a ^ (a >>> 13), 3266489909)
  out.lo = a >>> 0
  out.hi = b >>> 0
  return out
}

/** The partition of a user, from the low bits of the high lane: HyperLogLog needs the other bits to be independent of the partition. */
export function partitionOf(hash: Hash64, partitions: number): number {
  return hash.hi % partitions
}

/** The hash as a signed 64-bit number, as PostgreSQL's bigint stores it. */
export function hashToBigint(hash: Hash64): bigint {
  return BigInt.asIntN(64, (BigInt(hash.hi) << 32n) | BigInt(hash.lo))
}
