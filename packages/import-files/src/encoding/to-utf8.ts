import type { TextEncoding } from './text-encoding.js'

/** Turns the bytes of a file, piece by piece, into UTF-8 without byte order mark. What is not valid in the encoding becomes bytes that are not valid UTF-8. */
export interface Utf8Converter {
  push(bytes: Uint8Array): Buffer
  /** What is left of an incomplete character. */
  end(): Buffer
}

export function createUtf8Converter(encoding: TextEncoding): Utf8Converter {
  switch (encoding) {
    case 'utf-8':
      return new Utf8WithoutMark()
    case 'utf-16le':
      return new Utf16Converter(false)
    case 'utf-16be':
      return new Utf16Converter(true)
    case 'iso-8859-1':
      return { push: latin1ToUtf8, end: () => Buffer.alloc(0) }
    case 'windows-1252':
      return { push: windows1252ToUtf8, end: () => Buffer.alloc(0) }
  }
}

const latin1ToUtf8 = (bytes: Uint8Array): Buffer => Buffer.from(viewOf(bytes).toString('latin1'), 'utf8')

/** The characters of 0x80 to 0x9f (https://encoding.spec.whatwg.org/index-windows-1252.txt). TextDecoder of Node 20 takes Windows-1252 for Latin-1. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ'

function windows1252ToUtf8(bytes: Uint8Array): Buffer {
  const text = viewOf(bytes)
    .toString('latin1')
    .replaceAll(/[\x80-\x9f]/g, (character) => WINDOWS_1252[character.charCodeAt(0) - 0x80] as string)
  return Buffer.from(text, 'utf8')
}

const viewOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const MARK = Buffer.from([0xef, 0xbb, 0xbf])

class Utf8WithoutMark implements Utf8Converter {
  /** The first bytes of the file, until it is known whether they are the mark; undefined afterwards. */
  #first: Buffer | undefined = Buffer.alloc(0)

  push(bytes: Uint8Array): Buffer {
    if (this.#first === undefined) return viewOf(bytes)
    const start = Buffer.concat([this.#first, bytes])
    const isUndecided = start.length < MARK.length && MARK.subarray(0, start.length).equals(start)
    this.#first = isUndecided ? start : undefined
    if (isUndecided) return Buffer.alloc(0)
    return start.subarray(0, MARK.length).equals(MARK) ? start.subarray(MARK.length) : start
  }

  end(): Buffer {
    return this.#first ?? Buffer.alloc(0)
  }
}

class Utf16Converter implements Utf8Converter {
  readonly #isBigEndian: boolean
  #rest: Buffer = Buffer.alloc(0)
  #isStart = true

  constructor(isBigEndian: boolean) {
    this.#isBigEndian = isBigEndian
  }

  push(bytes: Uint8Array): Buffer {
    const all = Buffer.concat([this.#rest, bytes])
    let length = all.length & ~1
    if (length >= 2) {
      const last = this.#isBigEndian ? all.readUInt16BE(length - 2) : all.readUInt16LE(length - 2)
      // The second half of the character is in the next piece.
      if (last >= 0xd800 && last < 0xdc00) length -= 2
    }
    this.#rest = all.subarray(length)
    return this.#convert(all.subarray(0, length))
  }

  end(): Buffer {
    const whole = this.#rest.subarray(0, this.#rest.length & ~1)
    // A single byte at the end is no character.
    const odd = this.#rest.length % 2 === 1 ? Buffer.from([0xff]) : Buffer.alloc(0)
    return Buffer.concat([this.#convert(whole), odd])
  }

  #convert(units: Buffer): Buffer {
    if (units.length === 0) return Buffer.alloc(0)
    let text = (this.#isBigEndian ? Buffer.from(units).swap16() : units).toString('utf16le')
    if (this.#isStart && text.startsWith('\u{feff}')) text = text.slice(1)
    this.#isStart = false
    return text.isWellFormed() ? Buffer.from(text, 'utf8') : encodeIllFormed(text)
  }
}

/** Half characters become the byte 0xff, so that the record that holds them is rejected instead of changed. */
function encodeIllFormed(text: string): Buffer {
  const parts = text.split(/(\p{Surrogate})/u)
  return Buffer.concat(parts.map((part, index) => (index % 2 === 1 ? Buffer.from([0xff]) : Buffer.from(part, 'utf8'))))
}
