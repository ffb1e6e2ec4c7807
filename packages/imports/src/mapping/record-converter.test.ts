import { describe, expect, it } from '@jest/globals'
import type { Cell } from '@millrace/import-files'
import { entities } from '../entities/entities.js'
import type { Entity } from '../entities/entity.js'
import type { MappedColumn } from './mapping.js'
import { RecordConverter } from './record-converter.js'

const users = entities.get('users') as Entity
const trrs = entities.get('trrs') as Entity
const ID: MappedColumn = { to: 'user_id', from: [1] }

/** The value of one column, or the codes of its faults. */
function convert(column: MappedColumn, cells: readonly Cell[], entity = users) {
  const converter = new RecordConverter(entity, [ID, column])
  const values: Cell[] = []
  const faults = converter.convert(['id', ...cells], values)
  return faults.length > 0 ? faults.map(({ code }) => code).join() : values[1]
}

describe('the conversion of a record', () => {
  it.each<[string, MappedColumn, Cell[], Cell]>([
    ['takes a text as it is', { to: 'name', from: [2] }, [' 007 '], ' 007 '],
    ['keeps an empty text', { to: 'name', from: [2] }, [''], ''],
    ['takes an empty text as no number', { to: 'score', from: [2] }, [''], null],
    [
      'joins several columns and leaves out nulls',
      { to: 'name', from: [2, 3, 4], joinBy: '-' },
      ['a', null, 'c'],
      'a-c',
    ],
    [
      'trims before it changes the case',
      { to: 'country', from: [2], steps: [{ step: 'trim' }, { step: 'upper' }] },
      [' de '],
      'DE',
    ],
    [
      'maps values and leaves others',
      { to: 'role', from: [2], steps: [{ step: 'map', table: { A: 'admin' } }] },
      ['A'],
      'admin',
    ],
    [
      'does not map to members of every object',
      { to: 'role', from: [2], steps: [{ step: 'map', table: {} }] },
      ['constructor'],
      'constructor',
    ],
    [
      'puts a default in place of null',
      { to: 'role', from: [2], steps: [{ step: 'default', value: 'user' }] },
      [null],
      'user',
    ],
    [
      'gives a default without a column of the file',
      { to: 'role', from: [], steps: [{ step: 'default', value: 'user' }] },
      [],
      'user',
    ],
    [
      'takes the texts that stand for null',
      { to: 'score', from: [2], steps: [{ step: 'null_if', values: ['n/a'] }] },
      ['n/a'],
      null,
    ],
    [
      'takes a part of a text',
      { to: 'company', from: [2], steps: [{ step: 'split', separator: '@', part: 2 }] },
      ['a@b.c'],
      'b.c',
    ],
    [
      'gives null for a part that is not there',
      { to: 'company', from: [2], steps: [{ step: 'split', separator: '@', part: 3 }] },
      ['a@b.c'],
      null,
    ],
    [
      'hashes',
      { to: 'name', from: [2], steps: [{ step: 'hash' }] },
      ['abc'],
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    ],
    [
      'reads numbers in the format of the column',
      { to: 'score', from: [2], format: { type: 'decimal', mark: 'comma' } },
      ['1.234,50'],
      '1234.50',
    ],
    [
      'reads dates in the order of the column',
      { to: 'signed_up_at', from: [2], format: { type: 'timestamp', order: 'dmy', zone: 'Europe/Berlin' } },
      ['01/02/2023 10:00'],
      '2023-02-01 10:00:00 Europe/Berlin',
    ],
    [
      'prefers the zone of the value',
      { to: 'signed_up_at', from: [2], format: { type: 'timestamp', order: 'ymd', zone: 'Europe/Berlin' } },
      ['2023-02-01T10:00:00Z'],
      '2023-02-01 10:00:00 Z',
    ],
    ['reads booleans', { to: 'is_active', from: [2] }, ['Yes'], 'true'],
  ])('%s', (_title, column, cells, expected) => {
    expect(convert(column, cells)).toBe(expected)
  })

  it.each<[string, MappedColumn, string]>([
    ['a text that is too long', { to: 'name', from: [2] }, 'x'.repeat(256)],
    ['a mail address without a domain', { to: 'email', from: [2] }, 'ann@'],
    ['a number in another format', { to: 'score', from: [2] }, '1,5'],
    ['a number with too many digits', { to: 'score', from: [2] }, '9'.repeat(101)],
    ['a number with a huge exponent', { to: 'score', from: [2] }, '1e999'],
    ['a day that does not exist', { to: 'signed_up_at', from: [2] }, '2023-02-29'],
    ['a text that is no boolean', { to: 'is_active', from: [2] }, 'perhaps'],
  ])('rejects %s', (title, column, value) => {
    const codes: Record<string, string> = {
      name: 'too_long',
      email: 'wrong_form',
      score: title.includes('format') ? 'not_a_number' : 'out_of_range',
    }
    expect(convert(column, [value])).toBe(
      codes[column.to] ?? (column.to === 'is_active' ? 'not_a_boolean' : 'not_a_timestamp'),
    )
  })

  it('counts the characters of a text as PostgreSQL does', () => {
    expect(convert({ to: 'name', from: [2] }, ['😀'.repeat(255)])).toBe('😀'.repeat(255))
    expect(convert({ to: 'name', from: [2] }, ['😀'.repeat(256)])).toBe('too_long')
  })

  it('names every fault of a record', () => {
    const mapping = ['trr_id', 'pov_id', 'title', 'risk', 'status', 'score', 'due_on'].map((to, index) => ({
      to,
      from: [index + 1],
    }))
    const faults = new RecordConverter(trrs, mapping).convert(
      ['', 'p', 't', 'huge', null, '101', '2023-02-01 10:00'],
      [],
    )
    expect(faults.map(({ column, code, value }) => [column, code, value])).toEqual([
      ['trr_id', 'required', ''],
      ['risk', 'not_allowed', 'huge'],
      ['status', 'required', ''],
      ['score', 'out_of_range', '101'],
      ['due_on', 'not_a_date', '2023-02-01 10:00'],
    ])
  })

  it.each<[string, MappedColumn[], string]>([
    ['a column that the entity does not have', [ID, { to: 'nmae', from: [2] }], 'users has no column nmae'],
    ['a column twice', [ID, { to: 'name', from: [2] }, { to: 'name', from: [3] }], 'name is mapped twice'],
    ['no column for the key', [{ to: 'name', from: [2] }], 'users needs user_id'],
    ['a position that is none', [{ to: 'user_id', from: [0] }], 'whole numbers from 1'],
    ['neither a position nor a default', [ID, { to: 'name', from: [] }], 'neither a position nor a default'],
    [
      'an unknown time zone',
      [ID, { to: 'signed_up_at', from: [2], format: { type: 'timestamp', order: 'ymd', zone: 'Mars/Olympus' } }],
      'no time zone',
    ],
    [
      'a split without a separator',
      [ID, { to: 'name', from: [2], steps: [{ step: 'split', separator: '', part: 1 }] }],
      'split needs',
    ],
  ])('refuses a mapping with %s', (_title, mapping, message) => {
    expect(() => new RecordConverter(users, mapping)).toThrow(message)
  })
})
