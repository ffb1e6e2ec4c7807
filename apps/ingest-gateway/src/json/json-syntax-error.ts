/** Text that is not JSON: `bytes[offset]` is not what was expected there. Offsets are bytes from 0. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError'
  readonly offset: number

  /** `end` is the offset after the last byte of the text. */
  constructor(bytes: Uint8Array, offset: number, end: number, wanted: string) {
    super(`found ${offset >= end ? 'the end of the text' : describe(bytes[offset] ?? 0)} instead of ${wanted}`)
    this.offset = offset
  }
}

/** Line and column of a byte offset, both from 1, the column in bytes. Reads the whole text before the offset. */
export function locate(bytes: Uint8Array, offset: number): { line: number; column: number } {
  let line = 1
  let lineStart = 0
  for (let p = 0; p < offset; p++) {
    if (bytes[p] === 0x0a) {
      line++
      lineStart = p + 1
    }
  }
  return { line, column: offset - lineStart + 1 }
}

function describe(byte: number): string {
  return byte > 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : `byte 0x${byte.toString(16).padStart(2, '0')}`
}
