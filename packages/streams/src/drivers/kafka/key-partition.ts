const SEED = 0x9747b28c
const M = 0x5bd1e995
const R = 24

/**
 * The partition of a key as Java's clients and most others compute it (the default of org.apache.kafka.clients.producer: murmur2, sign bit dropped, modulo
 * the number of partitions), so that the topics of other producers with the same keys and the same number of partitions can be joined with ours.
 */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/** MurmurHash2 with Kafka's seed, as a signed number of 32 bits: org.apache.kafka.common.utils.Utils.murmur2. */
export function murmur2(bytes: Uint8Array): number {
  let hash = SEED ^ bytes.length
  const whole = bytes.length & ~3
  for (let at = 0; at < whole; at += 4) {
    let word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    word = Math.imul(word, M)
    word ^= word >>> R
    hash = Math.imul(hash, M) ^ Math.imul(word, M)
  }
  const rest = bytes.length - whole
  if (rest === 3) hash ^= (bytes[whole + 2] as number) << 16
  if (rest >= 2) hash ^= (bytes[whole + 1] as number) << 8
  if (rest >= 1) hash = Math.imul(hash ^ (bytes[whole] as number), M)
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}
