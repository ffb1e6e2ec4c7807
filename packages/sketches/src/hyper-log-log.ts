import { estimateDistinct } from './estimate-distinct.js'

const PRECISION = 14
const REGISTERS = 1 << PRECISION
const INDEX_MASK = REGISTERS - 1
/** Bits of the 64-bit hash that determine the rank; the others choose the register. */
const RANK_BITS = 64 - PRECISION
/** A sparse entry is index << 6 | rank. Ranks begin at 1, so 0 is an empty slot. */
const RANK_SHIFT = 6
const RANK_MASK = 63

const SPARSE_SLOTS_MIN = 8
const SPARSE_GROWTH = 4
/** Half the memory of dense registers. After the next doubling it would not be smaller than dense. */
const SPARSE_SLOTS_MAX = REGISTERS / 8
const SPARSE_ENTRIES_MAX = (SPARSE_SLOTS_MAX * 3) / 4

const VERSION = 1
const HEADER_BYTES = 3
const KIND = { sparse: 0, dense: 1 } as const
const DENSE_BYTES = (REGISTERS * 6) / 8

const DAMAGED = 'the sketch is cut short or damaged'

const NO_ENTRIES = new Uint32Array(0)

/** Work memory for reading and writing, which would otherwise allocate up to 64 KiB per sketch. */
const scratch = new Uint32Array(REGISTERS)
/** Most bytes of an entry's number. */
const scratchBytes = new Uint8Array(HEADER_BYTES + 3 * REGISTERS)

/**
 * Counts distinct 64-bit hashes: HyperLogLog with 2^14 registers (Flajolet, Fusy, Gandouet, Meunier 2007), standard
 * error 0.81 %. While few registers are set, they are kept in a small hash table (32 bytes for one user, at most 8
 * KiB), with a smaller error; later as one byte per register. Adding is O(1) and allocates only when the sketch
 * grows. Merging two sketches gives the sketch of all their elements.
 */
export class HyperLogLog {
  /** Open addressing by the register's index, which is part of the hash and so spread evenly: see `homeOf`. */
  #sparse: Uint32Array | undefined
  #entries = 0
  #dense: Uint8Array | undefined

  /** Adds a hash, given as its two unsigned 32-bit words. Returns whether the sketch changed. */
  add(lo: number, hi: number): boolean {
    // Leading zeros of the high word, and of the rest of the low word only when the high word is zero.
    const rank = hi !== 0 ? Math.clz32(hi) + 1 : Math.min(33 + Math.clz32(lo & ~INDEX_MASK), RANK_BITS + 1)
    return this.#raise(lo & INDEX_MASK, rank)
  }

  /** Adds all elements of `other`, which does not change. Returns this sketch. */
  merge(other: HyperLogLog): this {
    if (other.#dense) {
      const mine = this.#dense ?? this.#toDense()
      const theirs = other.#dense
      for (let index = 0; index < REGISTERS; index++) {
        const rank = theirs[index] as number
        if (rank > (mine[index] as number)) mine[index] = rank
      }
    } else if (other.#sparse) {
      for (const entry of other.#sparse) if (entry !== 0) this.#raise(entry >>> RANK_SHIFT, entry & RANK_MASK)
    }
    return this
  }

  /**
   * Merges the sketch in `bytes` without creating it.
   * @throws RangeError as `deserialise`; this sketch must not be used afterwards.
   */
  mergeSerialised(bytes: Uint8Array): this {
    if (kindOf(bytes) === KIND.dense) this.#mergeDense(bytes)
    else this.#mergeSparse(bytes)
    return this
  }

  /** Estimated number of distinct hashes, not rounded; 0 when none was added. */
  estimate(): number {
    const histogram = new Float64Array(RANK_BITS + 2)
    if (this.#dense) {
      const dense = this.#dense
      for (let index = 0; index < REGISTERS; index++) {
        const rank = dense[index] as number
        histogram[rank] = (histogram[rank] as number) + 1
      }
    } else {
      histogram[0] = REGISTERS - this.#entries
      for (const entry of this.#sparse ?? [])
        if (entry !== 0) histogram[entry & RANK_MASK] = (histogram[entry & RANK_MASK] as number) + 1
    }
    return estimateDistinct(histogram, RANK_BITS)
  }

  /** At most 12,291 bytes; two or three per register while few are set. Equal sets give equal bytes. */
  serialise(): Buffer {
    const entries = this.#sortedEntries()
    if (entries.length * 2 < DENSE_BYTES) {
      const sparse = serialiseSparse(entries)
      if (sparse.length < HEADER_BYTES + DENSE_BYTES) return sparse
    }
    return serialiseDense(this.#dense ?? this.#toDense())
  }

  /**
   * @throws RangeError when the bytes are no sketch of a known version or are damaged.
   */
  static deserialise(bytes: Uint8Array): HyperLogLog {
    return new HyperLogLog().mergeSerialised(bytes)
  }

  /**
   * The estimate of a serialised sketch. Equals `deserialise(bytes).estimate()` in a fraction of its time.
   * @throws RangeError as `deserialise`
   */
  static estimateSerialised(bytes: Uint8Array): number {
    const histogram = kindOf(bytes) === KIND.dense ? denseHistogram(bytes) : sparseHistogram(bytes)
    if (histogram.subarray(RANK_BITS + 2).some((count) => count > 0)) throw new RangeError(DAMAGED)
    return estimateDistinct(histogram.subarray(0, RANK_BITS + 2), RANK_BITS)
  }

  #raise(index: number, rank: number): boolean {
    const dense = this.#dense
    if (dense) {
      if (rank <= (dense[index] as number)) return false
      dense[index] = rank
      return true
    }
    this.#sparse ??= new Uint32Array(SPARSE_SLOTS_MIN)
    return this.#raiseSparse(this.#sparse, index, rank)
  }

  #raiseSparse(table: Uint32Array, index: number, rank: number): boolean {
    const mask = table.length - 1
    for (let slot = homeOf(index, table); ; slot = (slot + 1) & mask) {
      const entry = table[slot] as number
      if (entry === 0) {
        table[slot] = (index << RANK_SHIFT) | rank
        this.#entries++
        if (this.#entries * 4 > table.length * 3) this.#growSparse(table)
        return true
      }
      if (entry >>> RANK_SHIFT === index) {
        if (rank <= (entry & RANK_MASK)) return false
        table[slot] = (index << RANK_SHIFT) | rank
        return true
      }
    }
  }

  #growSparse(table: Uint32Array): void {
    if (table.length >= SPARSE_SLOTS_MAX) {
      this.#toDense()
      return
    }
    const bigger = new Uint32Array(table.length * SPARSE_GROWTH)
    this.#sparse = bigger
    this.#entries = 0
    for (const entry of table) if (entry !== 0) this.#raiseSparse(bigger, entry >>> RANK_SHIFT, entry & RANK_MASK)
  }

  #toDense(): Uint8Array {
    const dense = new Uint8Array(REGISTERS)
    for (const entry of this.#sparse ?? []) if (entry !== 0) dense[entry >>> RANK_SHIFT] = entry & RANK_MASK
    this.#dense = dense
    this.#sparse = undefined
    this.#entries = 0
    return dense
  }

  /** Serialised as a view that the next call overwrites. */
  #sortedEntries(): Uint32Array {
    // Plain loops: the consumer does this every second for every active minute, and callbacks take twenty times as
    // long.
    const entries = scratch
    let count = 0
    const dense = this.#dense
    if (dense) {
      for (let index = 0; index < REGISTERS; index++) {
        const rank = dense[index] as number
        entries[count] = (index << RANK_SHIFT) | rank
        // Adds 1 unless the rank is 0. Without a branch, which could not be predicted.
        count += (rank + RANK_MASK) >>> RANK_SHIFT
      }
      return entries.subarray(0, count)
    }
    const table = this.#sparse ?? NO_ENTRIES
    for (let slot = 0; slot < table.length; slot++) {
      const entry = table[slot] as number
      if (entry === 0) continue
      // They are nearly sorted, see `homeOf`.
      let at = count++
      for (; at > 0 && (entries[at - 1] as number) > entry; at--) entries[at] = entries[at - 1] as number
      entries[at] = entry
    }
    return entries.subarray(0, count)
  }

  #mergeSparse(bytes: Uint8Array): void {
    const entries = readSparse(bytes)
    // This many entries would not be kept in a table.
    const dense = this.#dense ?? (entries.length > SPARSE_ENTRIES_MAX ? this.#toDense() : undefined)
    if (dense === undefined && this.#entries === 0) this.#sparse = new Uint32Array(slotsFor(entries.length))
    for (let at = 0; at < entries.length; at++) {
      const entry = entries[at] as number
      const [index, rank] = [entry >>> RANK_SHIFT, entry & RANK_MASK]
      if (dense === undefined) this.#raise(index, rank)
      else dense[index] = higher(dense[index] as number, rank)
    }
  }

  #mergeDense(bytes: Uint8Array): void {
    checkDense(bytes)
    const dense = this.#dense ?? this.#toDense()
    let damaged = 0
    for (let index = 0, offset = HEADER_BYTES; index < REGISTERS; index += 4, offset += 3) {
      const word = wordAt(bytes, offset)
      dense[index] = higher(dense[index] as number, word >>> 18)
      dense[index + 1] = higher(dense[index + 1] as number, (word >>> 12) & RANK_MASK)
      dense[index + 2] = higher(dense[index + 2] as number, (word >>> 6) & RANK_MASK)
      dense[index + 3] = higher(dense[index + 3] as number, word & RANK_MASK)
      damaged |= tooHighIn(word)
    }
    if (damaged !== 0) throw new RangeError(DAMAGED)
  }
}

/** The higher of two ranks. Without a branch, which could not be predicted. */
function higher(a: number, b: number): number {
  const difference = a - b
  return a - (difference & (difference >> 31))
}

/**
 * Nonzero when one of the four ranks in a word is above RANK_BITS + 1 = 51, that is, has the bits 32, 16 and (8 or 4)
 * set.
 */
function tooHighIn(word: number): number {
  return (word >>> 5) & (word >>> 4) & ((word >>> 3) | (word >>> 2)) & 0b000001_000001_000001_000001
}

/** By the upper bits, so that a table holds its entries in the order of their indexes, except displaced ones. */
function homeOf(index: number, table: Uint32Array): number {
  return index >>> (PRECISION - (31 - Math.clz32(table.length)))
}

function kindOf([version, kind, precision]: Uint8Array): number {
  if (version !== VERSION || precision !== PRECISION) throw new RangeError('not a HyperLogLog of a known version')
  if (kind !== KIND.dense && kind !== KIND.sparse) throw new RangeError('not a HyperLogLog of a known kind')
  return kind
}

/** Sized at once: growing step by step would take as long as reading. */
function slotsFor(entries: number): number {
  let slots = SPARSE_SLOTS_MIN
  while (entries * 4 > slots * 3 && slots < SPARSE_SLOTS_MAX) slots *= SPARSE_GROWTH
  return slots
}

function checkDense(bytes: Uint8Array): void {
  if (bytes.length !== HEADER_BYTES + DENSE_BYTES) throw new RangeError(DAMAGED)
}

/** Four registers in one word. */
function wordAt(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 16) | ((bytes[offset + 1] as number) << 8) | (bytes[offset + 2] as number)
}

/** The entries of a sparse sketch, in a view that the next call overwrites. */
function readSparse(bytes: Uint8Array): Uint32Array {
  let count = 0
  let index = -1
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    // One or two bytes, read without a branch, which would be mispredicted every other time; at most three.
    const first = bytes[at] as number
    const second = at + 1 < bytes.length ? (bytes[at + 1] as number) : 0
    const isLong = first >>> 7
    let packed = (first & 0x7f) | ((second & 0x7f & -isLong) << 7)
    at += 1 + isLong
    if ((isLong & (second >>> 7)) === 1) {
      const third = bytes[at++] ?? 0x80
      if (third >= 0x80) throw new RangeError(DAMAGED)
      packed |= third << 14
    }
    if (at > bytes.length) throw new RangeError(DAMAGED)
    const rank = packed & RANK_MASK
    index += (packed >>> RANK_SHIFT) + 1
    if (index >= REGISTERS || rank < 1 || rank > RANK_BITS + 1) throw new RangeError(DAMAGED)
    scratch[count++] = (index << RANK_SHIFT) | rank
  }
  return scratch.subarray(0, count)
}

/** Number of registers by rank. */
function sparseHistogram(bytes: Uint8Array): Float64Array {
  const histogram = new Float64Array(RANK_MASK + 1)
  const entries = readSparse(bytes)
  for (let at = 0; at < entries.length; at++) {
    const rank = (entries[at] as number) & RANK_MASK
    histogram[rank] = (histogram[rank] as number) + 1
  }
  histogram[0] = REGISTERS - entries.length
  return histogram
}

function denseHistogram(bytes: Uint8Array): Float64Array {
  checkDense(bytes)
  const histogram = new Float64Array(RANK_MASK + 1)
  for (let offset = HEADER_BYTES; offset < HEADER_BYTES + DENSE_BYTES; offset += 3) {
    const word = wordAt(bytes, offset)
    for (let shift = 18; shift >= 0; shift -= 6) {
      const rank = (word >>> shift) & RANK_MASK
      histogram[rank] = (histogram[rank] as number) + 1
    }
  }
  return histogram
}

/**
 * After the header a number for each entry: the registers skipped since the previous entry, and the rank in the low 6
 * bits.
 */
function serialiseSparse(entries: Uint32Array): Buffer {
  scratchBytes.set([VERSION, KIND.sparse, PRECISION])
  let at = HEADER_BYTES
  let next = 0
  for (let i = 0; i < entries.length; i++) {
    const entry = entries[i] as number
    const index = entry >>> RANK_SHIFT
    let packed = ((index - next) << RANK_SHIFT) | (entry & RANK_MASK)
    for (; packed >= 0x80; packed >>>= 7) scratchBytes[at++] = (packed & 0x7f) | 0x80
    scratchBytes[at++] = packed
    next = index + 1
  }
  return Buffer.from(scratchBytes.subarray(0, at))
}

/** After the header 6 bits for each register, four registers in three bytes. */
function serialiseDense(registers: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + DENSE_BYTES)
  bytes.set([VERSION, KIND.dense, PRECISION])
  for (let index = 0, offset = HEADER_BYTES; index < REGISTERS; index += 4, offset += 3) {
    const word =
      ((registers[index] as number) << 18) |
      ((registers[index + 1] as number) << 12) |
      ((registers[index + 2] as number) << 6) |
      (registers[index + 3] as number)
    bytes[offset] = word >>> 16
    bytes[offset + 1] = word >>> 8
    bytes[offset + 2] = word
  }
  return bytes
}
