import { type ByteReader, type ByteWriter, unzigzag, zigzag } from './varint.js'

const BINS_MIN = 64

/**
 * Counts by bin index, in one array over the range of indices seen. When the range would outgrow `binsMax`, the lowest bins are put
 * together into one.
 */
export class BinStore {
  readonly #binsMax: number
  #counts: Float64Array
  /** Index of the first slot. */
  #offset = 0
  #lowest = Number.POSITIVE_INFINITY
  #highest = Number.NEGATIVE_INFINITY
  total = 0

  constructor(binsMax: number) {
    this.#binsMax = binsMax
    this.#counts = EMPTY
  }

  add(index: number, count: number): void {
    let slot = index - this.#offset
    if (index < this.#lowest || index > this.#highest) slot = this.#include(index) - this.#offset
    this.#counts[slot] = (this.#counts[slot] as number) + count
    this.total += count
  }

  merge(other: BinStore): void {
    if (other.total === 0) return
    this.#reserve(other.#lowest, other.#highest)
    // The highest first: it decides which bins are still apart.
    this.#include(other.#highest)
    const lowest = this.#include(other.#lowest)
    const counts = this.#counts
    const theirs = other.#counts
    for (let index = other.#lowest; index <= other.#highest; index++) {
      const slot = Math.max(index, lowest) - this.#offset
      counts[slot] = (counts[slot] as number) + (theirs[index - other.#offset] as number)
    }
    this.total += other.total
  }

  /** The bin that holds the element of this rank, ranks counted from 0 in rising order of the index. */
  indexAt(rank: number): number {
    let seen = 0
    for (let index = this.#lowest; index < this.#highest; index++) {
      seen += this.#counts[index - this.#offset] as number
      if (seen > rank) return index
    }
    return this.#highest
  }

  /** Total; if not zero the lowest index, the number of bins, and the counts, where a zero is followed by how many more follow it. */
  write(writer: ByteWriter): void {
    writer.varint(this.total)
    if (this.total === 0) return
    writer.varint(zigzag(this.#lowest))
    writer.varint(this.#highest - this.#lowest + 1)
    let zeros = 0
    for (let index = this.#lowest; index <= this.#highest; index++) {
      const count = this.#counts[index - this.#offset] as number
      if (count === 0) {
        zeros++
        continue
      }
      if (zeros > 0) {
        writer.varint(0)
        writer.varint(zeros - 1)
        zeros = 0
      }
      writer.varint(count)
    }
  }

  read(reader: ByteReader): void {
    const total = reader.varint()
    if (total === 0) return
    const lowest = unzigzag(reader.varint())
    const bins = reader.varint()
    if (bins > this.#binsMax) throw new RangeError('the sketch is cut short or damaged')
    this.#reserve(lowest, lowest + bins - 1)
    for (let bin = 0; bin < bins; bin++) {
      const count = reader.varint()
      if (count === 0) bin += reader.varint()
      else this.add(lowest + bin, count)
    }
    if (this.total !== total) throw new RangeError('the sketch is cut short or damaged')
  }

  /** Makes room for a range at once while there is nothing in it yet: growing bin by bin is most of what a sketch costs to read. */
  #reserve(lowest: number, highest: number): void {
    if (this.total === 0 && highest >= lowest && highest - lowest < this.#binsMax) this.#resize(lowest, highest)
  }

  /** Makes room for the index; returns the one to count in, which is a higher one where the lowest bins are put together. */
  #include(index: number): number {
    const highest = Math.max(this.#highest, index)
    const floor = highest - this.#binsMax + 1
    const target = Math.max(index, floor)
    const lowest = Math.max(Math.min(this.#lowest, target), floor)
    this.#resize(lowest, highest)
    return target
  }

  #resize(lowest: number, highest: number): void {
    const isInside = lowest >= this.#offset && highest < this.#offset + this.#counts.length
    if (!isInside || lowest > this.#lowest) {
      const bins = highest - lowest + 1
      const capacity = Math.min(this.#binsMax, Math.max(BINS_MIN, Math.ceil(bins * 1.25)))
      const counts = new Float64Array(Math.max(capacity, bins))
      const offset = lowest - ((counts.length - bins) >> 1)
      for (let index = this.#lowest; index <= this.#highest; index++) {
        const slot = Math.max(index, lowest) - offset
        counts[slot] = (counts[slot] as number) + (this.#counts[index - this.#offset] as number)
      }
      this.#counts = counts
      this.#offset = offset
    }
    this.#lowest = lowest
    this.#highest = highest
  }
}

const EMPTY = new Float64Array(0)
