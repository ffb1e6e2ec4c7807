/** A block of a filter: 256 bits, of which a token sets one in each of eight words of 32 bits (a split block Bloom filter, as in Parquet). */
const BLOCK_BYTES = 32
const BLOCK_BITS = 256
const WORDS = 8
const SALTS = Uint32Array.of(
  0x47b6137b,
  0x44974d91,
  0x8824ad5b,
  0xa2b7289d,
  0x705495c7,
  0x2df1424b,
  0x9efc4947,
  0x5c6bfb31,
)
/** With 12 bits a token a filter says of 0.5 % of absent tokens that they may be there. */
const BITS_PER_TOKEN = 12

/** How many blocks a filter for so many tokens should have. */
export function blocksFor(tokens: number): number {
  return Math.max(1, Math.ceil((tokens * BITS_PER_TOKEN) / BLOCK_BITS))
}

/** Makes a filter of the given number of blocks. */
export function createFilter(tokens: Uint32Array, blocks: number): Buffer {
  const filter = Buffer.alloc(blocks * BLOCK_BYTES)
  for (const token of tokens) {
    const start = blockOf(token, blocks) * BLOCK_BYTES
    for (let word = 0; word < WORDS; word++) {
      const bit = bitOf(token, word)
      const at = start + word * 4 + (bit >> 3)
      filter[at] = (filter[at] as number) | (1 << (bit & 7))
    }
  }
  return filter
}

/** Whether the chunk of a filter may have a token. False is certain. */
export function mayHave(filter: Uint8Array, token: number): boolean {
  const start = blockOf(token, filter.length / BLOCK_BYTES) * BLOCK_BYTES
  for (let word = 0; word < WORDS; word++) {
    const bit = bitOf(token, word)
    if ((((filter[start + word * 4 + (bit >> 3)] as number) >> (bit & 7)) & 1) === 0) return false
  }
  return true
}

/** Filters of many chunks, turned so that the bits of all chunks for one place of a filter lie together: one read answers for the whole group. */
export interface FilterGroup {
  /** How many filters the group has. */
  readonly filters: number
  /** How many blocks each of them has. */
  readonly blocks: number
}

/** Puts filters of equal length into one group. @throws RangeError when their lengths differ */
export function transposeFilters(filters: readonly Uint8Array[]): Buffer {
  const length = filters[0]?.length ?? 0
  if (filters.some((filter) => filter.length !== length))
    throw new RangeError('the filters of a group must have equal lengths')
  const rowBytes = (filters.length + 7) >> 3
  const group = Buffer.alloc(length * 8 * rowBytes)
  for (const [index, filter] of filters.entries()) {
    const [byteOfRow, mask] = [index >> 3, 1 << (index & 7)]
    for (let at = 0; at < length; at++) {
      for (let bits = filter[at] as number, bit = 0; bits !== 0; bits >>= 1, bit++) {
        if ((bits & 1) === 0) continue
        const place = (at * 8 + bit) * rowBytes + byteOfRow
        group[place] = (group[place] as number) | mask
      }
    }
  }
  return group
}

/** Which bytes of a group must be read to look up a token. */
export function rangeOfToken({ filters, blocks }: FilterGroup, token: number): { start: number; length: number } {
  const length = BLOCK_BITS * ((filters + 7) >> 3)
  return { start: blockOf(token, blocks) * length, length }
}

/** The numbers of those filters of a group that may have a token. `bytes` are those of `rangeOfToken`. */
export function candidates({ filters }: Pick<FilterGroup, 'filters'>, bytes: Uint8Array, token: number): number[] {
  const rowBytes = (filters + 7) >> 3
  if (bytes.length !== BLOCK_BITS * rowBytes) throw new RangeError('these are not the bytes of one block of the group')
  const found: number[] = []
  for (let byte = 0; byte < rowBytes; byte++) {
    let bits = 0xff
    for (let word = 0; word < WORDS; word++) bits &= bytes[(word * 32 + bitOf(token, word)) * rowBytes + byte] as number
    for (let bit = 0; bits !== 0; bits >>= 1, bit++) if ((bits & 1) === 1) found.push(byte * 8 + bit)
  }
  return found
}

/** The upper half of the product of hash and number of blocks. */
function blockOf(token: number, blocks: number): number {
  return Math.floor((token * blocks) / 2 ** 32)
}

function bitOf(token: number, word: number): number {
  return Math.imul(token, SALTS[word] as number) >>> 27
}
