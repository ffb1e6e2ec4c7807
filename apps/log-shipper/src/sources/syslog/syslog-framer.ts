/** One message as it was sent. */
export interface SyslogFrame {
  readonly bytes: Buffer
  /** Its length in bytes before it was cut; 0 when it is whole. */
  readonly originalBytes: number
}

const LINE_FEED = 0x0a
const SPACE = 0x20
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
/** A length of more digits is no length. */
const LENGTH_DIGITS_MAX = 9

/**
 * Cuts what a connection receives into messages. Each message may come with its length in front (`12 <34>...`, RFC 6587 section 3.4.1) or end with a line
 * feed (3.4.2); both may be mixed, so each message is told apart by its first byte. Of a message beyond `bytesMax` the first bytes are kept.
 */
export class SyslogFramer {
  readonly #bytesMax: number
  #pending = Buffer.alloc(0)
  /** How far a line feed was looked for in vain. */
  #searched = 0
  /** A message whose rest is skipped. */
  #skipping: Skipping | undefined

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Takes what was received and returns the messages that are complete now, without empty ones. */
  push(chunk: Buffer): SyslogFrame[] {
    const frames: SyslogFrame[] = []
    let rest = this.#skipping === undefined ? this.#join(chunk) : this.#skip(chunk, frames)
    for (;;) {
      const taken = this.#take(rest, frames)
      if (taken === 0) break
      rest = rest.subarray(taken)
    }
    // A copy, so that a few bytes do not hold a large buffer.
    this.#pending = Buffer.from(rest)
    return frames
  }

  /** The last message of a connection that ended without a line feed. */
  end(): SyslogFrame[] {
    const frames: SyslogFrame[] = []
    if (this.#skipping !== undefined) this.#endSkipping(frames)
    else add(frames, this.#pending, 0)
    this.#pending = Buffer.alloc(0)
    return frames
  }

  #join(chunk: Buffer): Buffer {
    return this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
  }

  /** How many bytes were used; 0 when more are needed. */
  #take(bytes: Buffer, frames: SyslogFrame[]): number {
    if (bytes.length === 0) return 0
    const prefix = readLength(bytes)
    if (prefix === 'incomplete') return 0
    if (prefix !== 'none') return this.#takeCounted(bytes, prefix, frames)
    const feed = bytes.indexOf(LINE_FEED, this.#searched)
    if (feed >= 0) {
      this.#searched = 0
      if (feed > this.#bytesMax) add(frames, bytes.subarray(0, this.#bytesMax), feed)
      else add(frames, bytes.subarray(0, feed), 0)
      return feed + 1
    }
    this.#searched = bytes.length
    if (bytes.length <= this.#bytesMax) return 0
    this.#startSkipping(bytes, bytes.length - this.#bytesMax, 'line')
    return bytes.length
  }

  #takeCounted(bytes: Buffer, { start, length }: LengthPrefix, frames: SyslogFrame[]): number {
    const have = bytes.length - start
    if (have >= length) {
      if (length > this.#bytesMax) add(frames, bytes.subarray(start, start + this.#bytesMax), length)
      else add(frames, bytes.subarray(start, start + length), 0)
      return start + length
    }
    if (have <= this.#bytesMax) return 0
    this.#startSkipping(bytes.subarray(start), have - this.#bytesMax, length - have)
    return bytes.length
  }

  #startSkipping(bytes: Buffer, skipped: number, left: number | 'line'): void {
    this.#searched = 0
    this.#skipping = { kept: Buffer.from(bytes.subarray(0, this.#bytesMax)), skipped, left }
  }

  /** Goes on skipping, and returns what follows. */
  #skip(chunk: Buffer, frames: SyslogFrame[]): Buffer {
    const skipping = this.#skipping as Skipping
    const feed = skipping.left === 'line' ? chunk.indexOf(LINE_FEED) : -1
    const end = skipping.left === 'line' ? (feed < 0 ? chunk.length : feed) : Math.min(skipping.left, chunk.length)
    skipping.skipped += end
    if (skipping.left !== 'line') skipping.left -= end
    const isDone = skipping.left === 'line' ? feed >= 0 : skipping.left === 0
    if (!isDone) return Buffer.alloc(0)
    this.#endSkipping(frames)
    return chunk.subarray(feed >= 0 ? end + 1 : end)
  }

  #endSkipping(frames: SyslogFrame[]): void {
    const { kept, skipped } = this.#skipping as Skipping
    this.#skipping = undefined
    add(frames, kept, kept.length + skipped)
  }
}

interface Skipping {
  readonly kept: Buffer
  skipped: number
  /** Bytes that are still to be skipped; `line` up to the next line feed. */
  left: number | 'line'
}

interface LengthPrefix {
  /** Where the message begins. */
  readonly start: number
  readonly length: number
}

/** `none` when the bytes do not begin with a length and a space. */
function readLength(bytes: Buffer): LengthPrefix | 'incomplete' | 'none' {
  if ((bytes[0] as number) <= DIGIT_0 || (bytes[0] as number) > DIGIT_9) return 'none'
  let length = 0
  for (let at = 0; at <= LENGTH_DIGITS_MAX; at++) {
    const byte = bytes[at]
    if (byte === undefined) return 'incomplete'
    if (byte === SPACE) return { start: at + 1, length }
    if (byte < DIGIT_0 || byte > DIGIT_9) return 'none'
    length = length * 10 + byte - DIGIT_0
  }
  return 'none'
}

/** Adds a message without the NUL, line feeds and carriage returns that senders put at its end. */
function add(frames: SyslogFrame[], bytes: Buffer, originalBytes: number): void {
  let end = bytes.length
  while (end > 0 && (bytes[end - 1] === 0 || bytes[end - 1] === LINE_FEED || bytes[end - 1] === 0x0d)) end--
  // A copy, so that a short message does not hold everything that was received with it.
  if (end > 0) frames.push({ bytes: Buffer.from(bytes.subarray(0, end)), originalBytes })
}
