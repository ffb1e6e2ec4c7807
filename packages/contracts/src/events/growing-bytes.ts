/** Allocating side table and rows for every frame kept the garbage collector busy: sealed builders leave theirs to the next ones. */
const spares: Growing[] = []
const SPARES_MAX = 96
/** A larger one was an exception, and is not kept. */
const SPARE_BYTES_MAX = 256 * 1024
const FIRST_BYTES = 8 * 1024

/** Leaves an array to the next `takeGrowing`; its content is void from then on. */
export function giveBack(spare: Growing): void {
  if (spares.length < SPARES_MAX && spare.bytes.length <= SPARE_BYTES_MAX) spares.push(spare)
}

/** A byte array that doubles, with a view over it. */
export class Growing {
  bytes: Uint8Array = Buffer.allocUnsafeSlow(FIRST_BYTES)
  view = viewOf(this.bytes)

  /** Makes room for `more` bytes behind the first `used`. */
  reserve(used: number, more: number): void {
    if (used + more <= this.bytes.length) return
    const wider = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, used + more))
    wider.set(this.bytes.subarray(0, used))
    this.bytes = wider
    this.view = viewOf(wider)
  }
}

/** One that a sealed builder left, or a new one. */
export function takeGrowing(): Growing {
  return spares.pop() ?? new Growing()
}

/** A view over the bytes of an array, wherever they lie in their buffer. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
