import { type ByteReader, type ByteWriter, unzigzag, zigzag } from './varint.js'

const BINS_MIN = 64
/**
 * After this number of counts outside the array, its position is chosen again. Rare enough that choosing costs less
 * than counting.
 */
const FAR_ADDS = 2048

/** A bin that is not empty: its index and count. */
type Bin = [index: number, count: number]

/**
 * Counts by bin index, for at most `binsMax` bins that are not empty, however far apart they are. With more, the
 * lowest bins are merged into the lowest one that is kept. The result depends only on what was counted, not on the
 * order.
 *
 * An array, at most `binsMax` wide, covers the range with most counts; the few bins far from it are in a map.
 */
export class BinStore {
  readonly #binsMax: number
  #counts = EMPTY
  /** Bin index of the array's first slot. */
  #offset = 0
  /** The used range of the array. */
  #lowest = Number.POSITIVE_INFINITY
  #highest = Number.NEGATIVE_INFINITY
  /**
   * Bins that would make the array too wide. None of them is ever inside the array's range, which only grows while
   * this map has entries.
   */
  #far: Map<number, number> | undefined
  #farAdds = 0
  total = 0

  constructor(binsMax: number) {
    this.#binsMax = binsMax
  }

  add(index: number, count: number): void {
    if ((index < this.#lowest || index > this.#highest) && !this.#widen(index, index)) {
      this.#addFar(index, count)
      return
    }
    const slot = index - this.#offset
    this.#counts[slot] = (this.#counts[slot] as number) + count
    this.total += count
  }

  merge(other: BinStore): void {
    if (other.total === 0) return
    if (this.#widen(other.#lowest, other.#highest)) {
      const counts = this.#counts
      const theirs = other.#counts
      const shift = other.#offset - this.#offset
      const end = other.#highest - other.#offset
      for (let slot = other.#lowest - other.#offset; slot <= end; slot++) {
        const count = theirs[slot] as number
        counts[slot + shift] = (counts[slot + shift] as number) + count
        this.total += count
      }
      for (const [index, count] of other.#far ?? []) this.add(index, count)
    } else other.#each((index, count) => this.add(index, count))
  }

  /** The bin of the element with this rank; ranks count from 0 in ascending order of the index. */
  indexAt(rank: number): number {
    this.#settle()
    const { below, above } = this.#farBins()
    let seen = 0
    for (const [index, count] of below) {
      seen += count
      if (seen > rank) return index
    }
    for (let index = this.#lowest; index <= this.#highest; index++) {
      seen += this.#counts[index - this.#offset] as number
      if (seen > rank) return index
    }
    for (const [index, count] of above) {
      seen += count
      if (seen > rank) return index
    }
    return above.at(-1)?.[0] ?? this.#highest
  }

  /**
   * Writes the total and, if it is not zero, the lowest index, the number of bins, and the counts. A zero count is
   * followed by the number of further zeros.
   */
  write(writer: ByteWriter): void {
    writer.varint(this.total)
    if (this.total === 0) return
    this.#settle()
    const { below, above } = this.#farBins()
    const lowest = below[0]?.[0] ?? this.#lowest
    const highest = above.at(-1)?.[0] ?? this.#highest
    writer.varint(zigzag(lowest))
    writer.varint(highest - lowest + 1)
    let next = lowest
    for (const [index, count] of below) next = writeBin(writer, next, index, count)
    for (let index = this.#lowest; index <= this.#highest; index++) {
      const count = this.#counts[index - this.#offset] as number
      if (count > 0) next = writeBin(writer, next, index, count)
    }
    for (const [index, count] of above) next = writeBin(writer, next, index, count)
  }

  /** Merges a store that `write` wrote. */
  read(reader: ByteReader): void {
    const total = reader.varint()
    if (total === 0) return
    const before = this.total
    const lowest = unzigzag(reader.varint())
    const range = reader.varint()
    const isNear = this.#widen(lowest, lowest + range - 1)
    const bins: Bin[] = []
    for (let bin = 0; bin < range; bin++) {
      const count = reader.varint()
      if (count === 0) bin += reader.varint()
      else if (isNear) this.add(lowest + bin, count)
      else bins.push([lowest + bin, count])
    }
    if (!isNear) this.#addBins(bins)
    if (this.total - before !== total) throw new RangeError('the sketch is cut short or damaged')
  }

  #addBins(bins: readonly Bin[]): void {
    if (this.total === 0) this.#place(bins)
    else {
      const other = new BinStore(this.#binsMax)
      other.#place(bins)
      this.merge(other)
    }
  }

  /** Sum of the counts in the map. */
  #addFar(index: number, count: number): void {
    this.#far ??= new Map()
    this.#far.set(index, (this.#far.get(index) ?? 0) + count)
    this.total += count
    if (++this.#farAdds >= FAR_ADDS) this.#settle()
  }

  /** Merges the lowest bins if there are too many, and moves the array to where most counts are. */
  #settle(): void {
    if (this.#far === undefined) return
    const bins: Bin[] = []
    this.#each((index, count) => bins.push([index, count]))
    this.#place(bins)
  }

  /** Replaces the contents by these bins, which are in ascending order. */
  #place(bins: readonly Bin[]): void {
    const kept = this.#fold(bins)
    const [from, to] = this.#densest(kept)
    this.#counts = EMPTY
    this.#lowest = Number.POSITIVE_INFINITY
    this.#highest = Number.NEGATIVE_INFINITY
    this.#far = undefined
    this.#farAdds = 0
    this.total = 0
    kept.forEach(([index, count], at) => {
      if (at >= from && at < to) this.add(index, count)
      else {
        this.#far ??= new Map()
        this.#far.set(index, count)
        this.total += count
      }
    })
  }

  /** The highest `binsMax` bins; the lowest of them also has the counts of all bins below it. */
  #fold(bins: readonly Bin[]): readonly Bin[] {
    const excess = bins.length - this.#binsMax
    if (excess <= 0) return bins
    const kept = bins.slice(excess)
    const [lowest] = kept[0] as Bin
    kept[0] = [lowest, bins.slice(0, excess + 1).reduce((sum, [, count]) => sum + count, 0)]
    return kept
  }

  /** The range of positions (end exclusive) that fits the array and has the most counts. */
  #densest(bins: readonly Bin[]): [from: number, to: number] {
    let best: [number, number] = [0, 0]
    let bestSum = 0
    let sum = 0
    let from = 0
    bins.forEach(([index, count], at) => {
      sum += count
      for (; index - (bins[from] as Bin)[0] >= this.#binsMax; from++) sum -= (bins[from] as Bin)[1]
      if (sum <= bestSum) return
      bestSum = sum
      best = [from, at + 1]
    })
    return best
  }

  /** Visits the bins that are not empty in ascending order. */
  #each(visit: (index: number, count: number) => void): void {
    const { below, above } = this.#farBins()
    for (const [index, count] of below) visit(index, count)
    for (let index = this.#lowest; index <= this.#highest; index++) {
      const count = this.#counts[index - this.#offset] as number
      if (count > 0) visit(index, count)
    }
    for (const [index, count] of above) visit(index, count)
  }

  /** The bins of the map in ascending order: those below the array's range and those above. */
  #farBins(): { readonly below: readonly Bin[]; readonly above: readonly Bin[] } {
    if (this.#far === undefined) return NONE_FAR
    const bins = [...this.#far].sort(([a], [b]) => a - b)
    const split = bins.findIndex(([index]) => index > this.#highest)
    return split < 0 ? { below: bins, above: [] } : { below: bins.slice(0, split), above: bins.slice(split) }
  }

  /**
   * Extends the array to this range at once: growing bin by bin would be most of the cost of reading a sketch.
   * Returns false when it would be too wide.
   */
  #widen(from: number, to: number): boolean {
    const lowest = Math.min(this.#lowest, from)
    const highest = Math.max(this.#highest, to)
    const bins = highest - lowest + 1
    if (bins > this.#binsMax) return false
    if (lowest < this.#offset || highest >= this.#offset + this.#counts.length) {
      const capacity = Math.min(this.#binsMax, Math.max(BINS_MIN, Math.ceil(bins * 1.25)))
      const counts = new Float64Array(Math.max(capacity, bins))
      const offset = lowest - ((counts.length - bins) >> 1)
      for (let index = this.#lowest; index <= this.#highest; index++)
        counts[index - offset] = this.#counts[index - this.#offset] as number
      this.#counts = counts
      this.#offset = offset
    }
    this.#lowest = lowest
    this.#highest = highest
    return true
  }
}

const EMPTY = new Float64Array(0)
const NONE_FAR = { below: [], above: [] }

/** Writes a bin, after the number of empty bins since `next`. Returns the index after the bin. */
function writeBin(writer: ByteWriter, next: number, index: number, count: number): number {
  if (index > next) {
    writer.varint(0)
    writer.varint(index - next - 1)
  }
  writer.varint(count)
  return index + 1
}
