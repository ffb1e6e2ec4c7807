/** Byte arrays of sealed builders, reused by the next ones: new arrays for every frame kept the garbage collector busy. */
const spares: Growing[] = []
const SPARES_MAX = 96
/** Larger arrays are exceptions and are not kept. */
const SPARE_BYTES_MAX = 256 * 1024
const FIRST_BYTES = 8 * 1024

/** Gives an array back for the next `takeGrowing`. The caller must not use it any more. */
export function giveBack(spare: Growing): void {
  if (spares.length < SPARES_MAX && spare.bytes.length <= SPARE_BYTES_MAX) spares.push(spare)
}

/** A byte array that doubles, with a view over it. */
export class Growing {
  bytes: Uint8Array = Buffer.allocUnsafeSlow(FIRST_BYTES)
  view = viewOf(this.bytes)

  /** Ensures that `more` bytes fit after the first `used`. */
  reserve(used: number, more: number): void {
    if (used + more <= this.bytes.length) return
    const wider = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, used + more))
    wider.set(this.bytes.subarray(0, used))
    this.bytes = wider
    this.view = viewOf(wider)
  }
}

/** An array that was given back, or a new one. */
export function takeGrowing(): Growing {
  return spares.pop() ?? new Growing()
}

/** A view of exactly the bytes of an array, which may be a part of its buffer. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
