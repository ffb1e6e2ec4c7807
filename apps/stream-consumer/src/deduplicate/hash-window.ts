/** Sub-tables of a window: growing one of them moves a 64th of the ids, so no single event waits for all of them. */
const SHARDS = 64
const SHARD_SHIFT = 26
const SLOTS_MIN = 16
const CHUNK_IDS = 4096

/** Ids in the order of their insertion; times are milliseconds after `baseMs`. */
interface Chunk {
  baseMs: number
  hashes: Uint32Array
  times: Uint32Array
}

/**
 * The 64-bit message hashes that one partition has seen within a time window: a set in open addressing beside a queue of the
 * insertions. About 25 bytes an id, and nothing on the JavaScript heap an id. Hashes come as unsigned 32-bit lanes.
 */
export class HashWindow {
  #size = 0
  readonly #windowMs: number
  readonly #tables: Uint32Array[] = Array.from({ length: SHARDS }, () => new Uint32Array(2 * SLOTS_MIN))
  readonly #counts = new Uint32Array(SHARDS)
  readonly #chunks: Chunk[] = []
  #spare: Chunk | null = null
  /** Ids taken from the first chunk, and ids in the last one. */
  #head = 0
  #tail = 0
  #lastMs = Number.NEGATIVE_INFINITY
  #droppedUntilMs = Number.NEGATIVE_INFINITY

  /** `windowMs`: an id is remembered for so long after its insertion. At most 49 days. */
  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /** Ids held. */
  get size(): number {
    return this.#size
  }

  /** The insertion time of the oldest id in ms since the epoch, or Infinity when empty. */
  get oldestMs(): number {
    const chunk = this.#chunks[0]
    return chunk === undefined ? Number.POSITIVE_INFINITY : chunk.baseMs + (chunk.times[this.#head] as number)
  }

  /** How far back every insertion is still remembered, in ms: the window, or less where ids were dropped for want of room. */
  coveredMs(nowMs: number): number {
    return Math.max(0, Math.min(this.#windowMs, nowMs - this.#droppedUntilMs))
  }

  /** Says that ids inserted up to `untilMs` are not here although they lie in the window. */
  noteDropped(untilMs: number): void {
    if (untilMs > this.#droppedUntilMs) this.#droppedUntilMs = untilMs
  }

  /**
   * Inserts a hash and returns true, or returns false when it is held already (its time then stays what it was).
   * A time before the last insertion's counts as that one, so that ids leave in the order they came.
   */
  add(lo: number, hi: number, nowMs: number): boolean {
    // 0,0 marks an empty slot.
    if ((lo | hi) === 0) lo = 1
    const shard = hi >>> SHARD_SHIFT
    const table = this.#tables[shard] as Uint32Array
    const mask = table.length - 2
    let at = (lo << 1) & mask
    for (;;) {
      const slotLo = table[at] as number
      const slotHi = table[at + 1] as number
      if (slotLo === lo && slotHi === hi) return false
      if ((slotLo | slotHi) === 0) break
      at = (at + 2) & mask
    }
    table[at] = lo
    table[at + 1] = hi
    const count = (this.#counts[shard] as number) + 1
    this.#counts[shard] = count
    if (count * 3 > table.length) this.#resize(shard, table.length * 2)
    this.#enqueue(lo, hi, nowMs)
    return true
  }

  /** Whether a hash is held. */
  has(lo: number, hi: number): boolean {
    if ((lo | hi) === 0) lo = 1
    return this.#find(lo, hi) >= 0
  }

  /** Removes what was inserted a window ago or earlier. */
  expire(nowMs: number): void {
    const untilMs = nowMs - this.#windowMs
    while (this.oldestMs <= untilMs) this.#dequeue()
  }

  /** Removes the `count` oldest ids before their time, to make room. */
  dropOldest(count: number): void {
    for (let i = 0; i < count && this.#chunks.length > 0; i++) {
      this.noteDropped(this.oldestMs)
      this.#dequeue()
    }
  }

  /** Removes one hash, searching from the newest; for the few records that were judged new and could not be stored. */
  forget(lo: number, hi: number): void {
    if ((lo | hi) === 0) lo = 1
    if (this.#find(lo, hi) < 0) return
    this.#erase(lo, hi)
    for (let c = this.#chunks.length - 1; c >= 0; c--) {
      const { hashes } = this.#chunks[c] as Chunk
      const first = c === 0 ? this.#head : 0
      for (let i = (c === this.#chunks.length - 1 ? this.#tail : CHUNK_IDS) - 1; i >= first; i--) {
        if (hashes[2 * i] !== lo || hashes[2 * i + 1] !== hi) continue
        hashes[2 * i] = 0
        hashes[2 * i + 1] = 0
        return
      }
    }
  }

  #enqueue(lo: number, hi: number, nowMs: number): void {
    if (nowMs > this.#lastMs) this.#lastMs = nowMs
    let chunk = this.#chunks[this.#chunks.length - 1]
    if (chunk === undefined || this.#tail === CHUNK_IDS || this.#lastMs - chunk.baseMs > 0xffff_ffff) {
      // A chunk that is given up half full would leave a hole in the queue, so its remaining entries become blanks.
      if (chunk !== undefined) this.#blankTail(chunk)
      chunk = this.#newChunk()
      this.#chunks.push(chunk)
      this.#tail = 0
    }
    const i = this.#tail++
    chunk.hashes[2 * i] = lo
    chunk.hashes[2 * i + 1] = hi
    chunk.times[i] = this.#lastMs - chunk.baseMs
    this.#size++
  }

  #blankTail(chunk: Chunk): void {
    for (let i = this.#tail; i < CHUNK_IDS; i++) {
      chunk.hashes[2 * i] = 0
      chunk.hashes[2 * i + 1] = 0
      chunk.times[i] = i === 0 ? 0 : (chunk.times[i - 1] as number)
    }
  }

  #newChunk(): Chunk {
    const chunk = this.#spare ?? {
      baseMs: 0,
      hashes: new Uint32Array(2 * CHUNK_IDS),
      times: new Uint32Array(CHUNK_IDS),
    }
    this.#spare = null
    chunk.baseMs = Math.floor(this.#lastMs)
    return chunk
  }

  #dequeue(): void {
    const chunk = this.#chunks[0] as Chunk
    const lo = chunk.hashes[2 * this.#head] as number
    const hi = chunk.hashes[2 * this.#head + 1] as number
    if ((lo | hi) !== 0) this.#erase(lo, hi)
    this.#head++
    const end = this.#chunks.length === 1 ? this.#tail : CHUNK_IDS
    if (this.#head < end) return
    this.#chunks.shift()
    this.#spare = chunk
    this.#head = 0
  }

  #find(lo: number, hi: number): number {
    const table = this.#tables[hi >>> SHARD_SHIFT] as Uint32Array
    const mask = table.length - 2
    for (let at = (lo << 1) & mask; ; at = (at + 2) & mask) {
      const slotLo = table[at] as number
      const slotHi = table[at + 1] as number
      if (slotLo === lo && slotHi === hi) return at
      if ((slotLo | slotHi) === 0) return -1
    }
  }

  /** Takes a held hash out of its table and moves later ones of its run back, so that no tombstones build up. */
  #erase(lo: number, hi: number): void {
    const shard = hi >>> SHARD_SHIFT
    const table = this.#tables[shard] as Uint32Array
    const mask = table.length - 2
    let hole = this.#find(lo, hi)
    for (let at = (hole + 2) & mask; ; at = (at + 2) & mask) {
      const slotLo = table[at] as number
      const slotHi = table[at + 1] as number
      if ((slotLo | slotHi) === 0) break
      const home = (slotLo << 1) & mask
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      table[hole] = slotLo
      table[hole + 1] = slotHi
      hole = at
    }
    table[hole] = 0
    table[hole + 1] = 0
    this.#size--
    const count = (this.#counts[shard] as number) - 1
    this.#counts[shard] = count
    if (count * 16 < table.length && table.length > 2 * SLOTS_MIN) this.#resize(shard, table.length / 2)
  }

  #resize(shard: number, length: number): void {
    const old = this.#tables[shard] as Uint32Array
    const table = new Uint32Array(length)
    const mask = length - 2
    for (let from = 0; from < old.length; from += 2) {
      const lo = old[from] as number
      const hi = old[from + 1] as number
      if ((lo | hi) === 0) continue
      let at = (lo << 1) & mask
      while (((table[at] as number) | (table[at + 1] as number)) !== 0) at = (at + 2) & mask
      table[at] = lo
      table[at + 1] = hi
    }
    this.#tables[shard] = table
  }
}
