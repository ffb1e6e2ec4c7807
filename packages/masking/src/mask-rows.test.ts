import { describe, expect, it } from '@jest/globals'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import type { TextColumn } from './mask-rows.js'
import { createMasker } from './masker.js'

const masker = createMasker({ fieldNames: ['iban'] })

function columnOf(texts: readonly string[]): TextColumn {
  const offsets = new Uint32Array(texts.length + 1)
  for (const [row, text] of texts.entries()) offsets[row + 1] = (offsets[row] as number) + Buffer.byteLength(text)
  return { bytes: Buffer.from(texts.join('')), offsets }
}

function textsOf({ bytes, offsets }: TextColumn): string[] {
  return Array.from({ length: offsets.length - 1 }, (_, row) =>
    Buffer.from(bytes.subarray(offsets[row], offsets[row + 1])).toString(),
  )
}

const pieces = fc.constantFrom(
  'bob@',
  'example.com',
  '4111',
  '1111',
  ' ',
  '-',
  'password',
  '=',
  '"token":',
  '"',
  '\\',
  'Bearer ',
  'abcdef.gh',
  '+49 30',
  '{',
  '}',
  'é',
  '😀',
  'eyJ',
  '[masked]',
  'a',
) // prettier-ignore
const texts = fc.array(
  fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join('')),
  { maxLength: 6 },
)

describe('a masked column', () => {
  it('holds each text as it is masked alone, whatever its neighbours end and begin with', () => {
    fc.assert(
      fc.property(texts, (rows) => {
        const column = columnOf(rows)
        const masked = masker.column(column, 'message')
        expect(textsOf(masked)).toEqual(rows.map((text) => masker.text(text)))
        if (rows.every((text) => masker.text(text) === text)) expect(masked).toBe(column)
      }),
      { numRuns: propertyRuns(700) },
    )
  })

  it('does not read into the rows around it: a card number that two rows form is left alone', () => {
    const rows = ['41111111', '11111111', 'password=', 'hunter2', 'bob', '@example.com']
    expect(textsOf(masker.column(columnOf(rows)))).toEqual(rows)
  })

  it('shows no value at all when its name is one of a secret', () => {
    expect(textsOf(masker.column(columnOf(['a', '', 'b c', '[masked]']), 'user_password'))).toEqual([
      '[masked]',
      '',
      '[masked]',
      '[masked]',
    ])
  })

  it('keeps plain ids when its name is one of an id, and masks everything else', () => {
    const rows = ['4111111111111111', '415-555-2671', 'bob@example.com', 'call 415-555-2671']
    expect(textsOf(masker.column(columnOf(rows), 'order_id'))).toEqual([rows[0], rows[1], '[email]', 'call [phone]'])
    expect(textsOf(masker.column(columnOf(rows), 'note'))).toEqual(['[card]', '[phone]', '[email]', 'call [phone]'])
  })

  it('may be a part of larger bytes', () => {
    const bytes = Buffer.from('xxbob@example.comyy')
    const masked = masker.column({ bytes: bytes.subarray(2, 17), offsets: Uint32Array.of(0, 15) })
    expect(textsOf(masked)).toEqual(['[email]'])
  })

  it('may be lines, of which each is masked apart from the next', () => {
    const lines = Buffer.from('a password=\nhunter2\n\nbob@example.com\nlast')
    expect(Buffer.from(masker.lines(lines)).toString()).toBe('a password=\nhunter2\n\n[email]\nlast')
    const clean = Buffer.from('a\nb\n')
    expect(masker.lines(clean)).toBe(clean)
    expect(Buffer.from(masker.lines(Buffer.from('a\n\nb\n'), 'token')).toString()).toBe('[masked]\n\n[masked]\n')
  })
})
