import { BinStore } from './bin-store.js'
import { ByteReader, ByteWriter } from './varint.js'

/** A quantile is off by at most this share of the value it stands for. */
export const RELATIVE_ACCURACY = 0.008

const GAMMA = (1 + RELATIVE_ACCURACY) / (1 - RELATIVE_ACCURACY)
const BINS_PER_LN = 1 / Math.log(GAMMA)
/** Bins with values in them, by sign; when there are more, the smallest magnitudes are counted as one. */
const BINS_MAX = 2048
/** Magnitudes up to it count as zero: below, doubles soon lose the digits to tell them apart. */
const ZERO_UP_TO = 1e-307

const VERSION = 1

/**
 * Quantiles by DDSketch (Masson, Rim, Lee 2019, arXiv:1908.10693), relative accuracy 0.8 %: a histogram over the logarithm of the values,
 * negative ones apart, for finite doubles. Outliers cost nothing but their own bins: the accuracy holds while the values of a sign are in at most 2048
 * bins of 1.6 %, which any values within 14 powers of ten are, and any 2048 different ones; beyond that for the largest magnitudes. Merging two gives exactly
 * what adding all their values to one would have. Typically 0.5 to 3 KiB, a tenth of that when serialised; at most some 200 KiB a sign.
 */
export class DDSketch {
  readonly #positive = new BinStore(BINS_MAX)
  readonly #negative = new BinStore(BINS_MAX)
  #zeros = 0

  /** Number of values. */
  get count(): number {
    return this.#positive.total + this.#negative.total + this.#zeros
  }

  /** Counts `value`, which must be finite, `count` times. */
  add(value: number, count = 1): void {
    if (value > ZERO_UP_TO) this.#positive.add(Math.ceil(Math.log(value) * BINS_PER_LN), count)
    else if (value < -ZERO_UP_TO) this.#negative.add(Math.ceil(Math.log(-value) * BINS_PER_LN), count)
    else this.#zeros += count
  }

  /** Becomes the sketch of both's values; returns itself. The other one is left as it is. */
  merge(other: DDSketch): this {
    this.#positive.merge(other.#positive)
    this.#negative.merge(other.#negative)
    this.#zeros += other.#zeros
    return this
  }

  /** The value at the share `q` (0 to 1) of the values in rising order, the lower one where it falls between two; NaN when there are none. */
  quantile(q: number): number {
    const { count } = this
    if (count === 0) return Number.NaN
    const rank = Math.floor(Math.min(Math.max(q, 0), 1) * (count - 1))
    const negatives = this.#negative.total
    if (rank < negatives) return -middleOf(this.#negative.indexAt(negatives - 1 - rank))
    if (rank < negatives + this.#zeros) return 0
    return middleOf(this.#positive.indexAt(rank - negatives - this.#zeros))
  }

  serialise(): Buffer {
    const writer = new ByteWriter(256)
    writer.varint(VERSION)
    writer.varint(RELATIVE_ACCURACY * 10_000)
    writer.varint(this.#zeros)
    this.#positive.write(writer)
    this.#negative.write(writer)
    return writer.finish()
  }

  /** Merges what `deserialise` would make of the bytes without making it. @throws RangeError as `deserialise`; then this one is of no more use. */
  mergeSerialised(bytes: Uint8Array): this {
    const reader = new ByteReader(bytes, 0)
    if (reader.varint() !== VERSION || reader.varint() !== RELATIVE_ACCURACY * 10_000)
      throw new RangeError('not a DDSketch of a known version')
    this.#zeros += reader.varint()
    this.#positive.read(reader)
    this.#negative.read(reader)
    if (!reader.isAtEnd) throw new RangeError('the sketch is cut short or damaged')
    return this
  }

  /** @throws RangeError when the bytes are no such sketch or are damaged. */
  static deserialise(bytes: Uint8Array): DDSketch {
    return new DDSketch().mergeSerialised(bytes)
  }
}

/** The middle of a bin: as far, relatively, from its lower end as from its upper one. */
function middleOf(index: number): number {
  return Math.min(Math.exp(index / BINS_PER_LN), Number.MAX_VALUE) / ((1 + GAMMA) / 2)
}
