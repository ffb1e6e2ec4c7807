import { isUtf8 } from 'node:buffer'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { TextEncoding } from './text-encoding.js'
import { createUtf8Converter } from './to-utf8.js'

function convert(bytes: Buffer, encoding: TextEncoding, size = Math.max(1, bytes.length)): Buffer {
  const converter = createUtf8Converter(encoding)
  const pieces: Buffer[] = []
  // Copies, because the converter may keep what it returns only until the next piece.
  for (let at = 0; at < bytes.length; at += size)
    pieces.push(Buffer.from(converter.push(bytes.subarray(at, at + size))))
  return Buffer.concat([...pieces, converter.end()])
}

const write: Readonly<Record<'utf-8' | 'utf-16le' | 'utf-16be', (text: string) => Buffer>> = {
  'utf-8': (text) => Buffer.from(text, 'utf8'),
  'utf-16le': (text) => Buffer.from(text, 'utf16le'),
  'utf-16be': (text) => Buffer.from(text, 'utf16le').swap16(),
}

describe('a converter to UTF-8', () => {
  it.each(['utf-8', 'utf-16le', 'utf-16be'] as const)(
    'gives the text of %s for every size of pieces, without the byte order mark',
    (encoding) => {
      const text = fc.string({ unit: 'binary' }).filter((value) => !value.startsWith('\u{feff}'))
      fc.assert(
        fc.property(text, fc.boolean(), fc.integer({ min: 1, max: 9 }), (value, hasMark, size) => {
          const bytes = write[encoding](hasMark ? `\u{feff}${value}` : value)
          expect(convert(bytes, encoding, size).toString('utf8')).toBe(value)
        }),
      )
    },
  )

  it('gives the characters of Windows-1252 and of Latin-1', () => {
    const bytes = Buffer.from([0x41, 0x92, 0xe4, 0x80])
    expect(convert(bytes, 'windows-1252', 1).toString()).toBe('A’ä€')
    expect(convert(bytes, 'iso-8859-1', 1).toString()).toBe('A\u{92}ä\u{80}')
  })

  it('leaves bytes that are not UTF-8 as they are', () => {
    const bytes = Buffer.from([0x41, 0x92, 0xef, 0xbb])
    expect(convert(bytes, 'utf-8', 1)).toEqual(bytes)
  })

  it('marks half characters of UTF-16 as invalid and keeps the text around them', () => {
    const converted = convert(Buffer.from('a\u{d83d}b\u{de00}c\u{1f600}', 'utf16le'), 'utf-16le')
    expect(isUtf8(converted)).toBe(false)
    expect(converted.toString('latin1').replaceAll('ÿ', '?')).toBe(`a?b?c${Buffer.from('😀').toString('latin1')}`)
    expect(isUtf8(convert(Buffer.from([0x41, 0x00, 0x42]), 'utf-16le'))).toBe(false)
  })
})
