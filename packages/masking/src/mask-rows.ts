/** Texts that stand one behind the other in the same bytes: row i from `offsets[i]` to `offsets[i + 1]`, in UTF-8. */
export interface TextColumn {
  readonly bytes: Uint8Array
  /** One more than there are rows. */
  readonly offsets: Uint32Array
}

/** Masks the bytes from `start` to `end`; undefined where nothing is masked. */
export type MaskRange = (bytes: Buffer, start: number, end: number) => Buffer | undefined

/** Returns the column itself where nothing is masked. */
export function maskColumn(column: TextColumn, mask: MaskRange): TextColumn {
  const { offsets } = column
  const output = new Output(column.bytes)
  let masked: Uint32Array | undefined
  for (let row = 0; row + 1 < offsets.length; row++) {
    output.mask(offsets[row] as number, offsets[row + 1] as number, mask)
    if (masked === undefined && output.growth !== undefined) masked = Uint32Array.from(offsets)
    if (masked !== undefined) masked[row + 1] = (offsets[row + 1] as number) + (output.growth as number)
  }
  return masked === undefined ? column : { bytes: output.finish(), offsets: masked }
}

/** The same for texts that end in a newline each; the last may lack it. Returns the argument where nothing is masked. */
export function maskLines(bytes: Uint8Array, mask: MaskRange): Uint8Array {
  const output = new Output(bytes)
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline < 0 ? bytes.length : newline
    output.mask(start, end, mask)
    start = end + 1
  }
  return output.growth === undefined ? bytes : output.finish()
}

/** Collects what stays and what is replaced. */
class Output {
  readonly #bytes: Buffer
  readonly #pieces: Buffer[] = []
  #copiedTo = 0
  /** By how many bytes the output is longer so far; undefined before the first replacement. */
  growth: number | undefined

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  mask(start: number, end: number, mask: MaskRange): void {
    const masked = mask(this.#bytes, start, end)
    if (masked === undefined) return
    this.#pieces.push(this.#bytes.subarray(this.#copiedTo, start), masked)
    this.#copiedTo = end
    this.growth = (this.growth ?? 0) + masked.length - (end - start)
  }

  finish(): Buffer {
    return Buffer.concat([...this.#pieces, this.#bytes.subarray(this.#copiedTo)])
  }
}
