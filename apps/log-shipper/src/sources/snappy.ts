import { coreErrors } from '@millrace/contracts'
import { DecodeFault } from '../fields/decode-fault.js'

/** How many bytes a byte of input can stand for: a copy of up to 64 bytes takes three. */
const RATIO_MAX = 22

/**
 * Decompresses a block of Snappy, https://github.com/google/snappy/blob/main/format_description.txt. Allocates at most `bytesMax`, and at most what
 * the input can stand for, whatever length it claims.
 * @throws DecodeFault; BODY_TOO_LARGE
 */
export function decompressSnappy(input: Buffer, bytesMax: number): Buffer {
  const { length, start } = readLength(input)
  if (length > bytesMax)
    throw coreErrors.BODY_TOO_LARGE({
      message: `the body has ${length} bytes after decompression, and at most ${bytesMax} are allowed (LOG_BODY_BYTES_MAX)`,
    })
  if (length > input.length * RATIO_MAX) throw fault('it claims to have more bytes than it can have')
  const output = Buffer.allocUnsafe(length)
  let from = start
  let to = 0
  while (from < input.length) {
    const tag = input[from] as number
    from++
    const kind = tag & 3
    if (kind === 0) {
      const size = readLiteralSize(input, from, tag)
      from = size.from
      if (from + size.bytes > input.length || to + size.bytes > length)
        throw fault('a literal is longer than what is left')
      input.copy(output, to, from, from + size.bytes)
      from += size.bytes
      to += size.bytes
      continue
    }
    const bytes = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
    const width = kind === 3 ? 4 : kind
    if (from + width > input.length) throw fault('it ends early')
    const offset = kind === 1 ? ((tag & 0xe0) << 3) | (input[from] as number) : input.readUIntLE(from, width)
    from += width
    if (offset === 0 || offset > to || to + bytes > length) throw fault('a copy points outside of the data')
    copyWithin(output, { to, offset, bytes })
    to += bytes
  }
  if (to !== length) throw fault(`it has ${to} bytes, and ${length} are announced`)
  return output
}

function readLength(input: Buffer): { length: number; start: number } {
  let length = 0
  for (let at = 0; at < 5; at++) {
    const byte = input[at]
    if (byte === undefined) break
    length += (byte & 0x7f) * 2 ** (7 * at)
    if (byte < 0x80) return { length, start: at + 1 }
  }
  throw fault('its length cannot be read')
}

function readLiteralSize(input: Buffer, from: number, tag: number): { bytes: number; from: number } {
  const code = tag >>> 2
  if (code < 60) return { bytes: code + 1, from }
  const width = code - 59
  if (from + width > input.length) throw fault('it ends early')
  return { bytes: input.readUIntLE(from, width) + 1, from: from + width }
}

/** A copy may overlap what it writes: then it repeats the last `offset` bytes. */
function copyWithin(output: Buffer, { to, offset, bytes }: { to: number; offset: number; bytes: number }): void {
  if (offset >= bytes) output.copyWithin(to, to - offset, to - offset + bytes)
  else for (let at = to; at < to + bytes; at++) output[at] = output[at - offset] as number
}

function fault(reason: string): DecodeFault {
  return new DecodeFault('invalid_record', `the body is not valid Snappy: ${reason}`)
}
