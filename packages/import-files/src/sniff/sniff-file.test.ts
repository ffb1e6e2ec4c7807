import { describe, expect, it } from '@jest/globals'
import type { FileSample } from './file-proposal.js'
import { sniffFile } from './sniff-file.js'

const whole = (text: string | Buffer): FileSample[] => [{ offset: 0, bytes: Buffer.from(text), isEnd: true }]
const sniff = (text: string | Buffer, knownNames?: string[]) =>
  sniffFile(whole(text), knownNames === undefined ? {} : { knownNames })

function sniffDelimited(text: string | Buffer) {
  const proposal = sniff(text)
  if (proposal.layout !== 'delimited') throw new Error(`the layout is ${proposal.layout}`)
  return proposal
}

const types = (text: string) => sniff(text).columns.map(({ name, format }) => `${name} ${format.type}`)

describe('the proposal for a file', () => {
  it.each([
    ['a comma', 'id,name\n1,ann\n2,bob\n', ',', 2],
    ['a semicolon beside decimal commas', 'id;price\n1;2,50\n2;3,75\n', ';', 2],
    ['a semicolon beside decimal commas without a header', '1,5;2,5\n1,7;2,9\n', ';', 2],
    ['a tab', 'id\tname\n1\tann, b\n', '\t', 2],
    ['a bar', 'a|b|c\n1|2|3\n', '|', 3],
    ['a comma beside texts with semicolons', 'id,note\n1,"a;b"\n2,"c;d"\n', ',', 2],
  ])('finds %s as the delimiter', (_title, text, delimiter, columns) => {
    const { delimited, delimiterConfidence } = sniffDelimited(text)
    expect(delimited).toMatchObject({ delimiter, columns })
    expect(delimiterConfidence).toBeGreaterThan(0.45)
  })

  it('has one column when no delimiter is found', () => {
    expect(sniffDelimited('name\nann\nbob\n').delimited).toMatchObject({ columns: 1 })
  })

  it('finds how cells are quoted', () => {
    expect(sniffDelimited("a,'b,c'\nd,'e,f'\ng,'h,i'\n").delimited).toMatchObject({ quote: "'", columns: 2 })
    expect(sniffDelimited('x,y\n1,"b \\"c\\", d"\n2,"e \\"f\\", g"\n').delimited).toMatchObject({
      escape: 'backslash',
      columns: 2,
    })
    expect(sniffDelimited('x,y\n1, "b, d"\n2, "e, g"\n').delimited).toMatchObject({ skipSpaces: true, columns: 2 })
    expect(sniffDelimited("x,y\n1,it's\n2,'tis\n").delimited).toMatchObject({ quote: '"', columns: 2 })
  })

  it('finds line endings that are a CR alone', () => {
    expect(sniffDelimited('x,y\r1,2\r3,4\r').delimited).toMatchObject({ lineEnding: 'cr', columns: 2 })
  })

  it('finds a header by the types below it, and asks when only texts are there', () => {
    expect(sniffDelimited('id,name\n1,ann\n').delimited.hasHeader).toBe(true)
    expect(sniffDelimited('1,ann\n2,bob\n').delimited.hasHeader).toBe(false)
    expect(sniffDelimited('berlin,paris\nrome,berlin\nberlin,oslo\n').delimited.hasHeader).toBe(false)
    expect(sniffDelimited('first,last\nann,lee\n').questions).toMatchObject([
      { kind: 'header', options: [{ value: 'true' }, { value: 'false' }] },
    ])
    expect(sniff('Full Name,E-Mail\nann,lee\n', ['full_name', 'email']).questions).toEqual([])
  })

  it('names the type of each column by all of its values', () => {
    const text =
      'i,d,b,t,z,day,at,e,n\n1,1.5,true,x,01234,2024-02-29,2024-02-29T10:00:00Z,,n/a\n2,"2,000.25",false,3,01235,2024-03-01,2024-03-01 11:00,,7\n'
    expect(types(text)).toEqual([
      'i integer',
      'd decimal',
      'b boolean',
      't text',
      'z text',
      'day date',
      'at timestamp',
      'e empty',
      'n text',
    ])
  })

  it('takes a type that nearly all values have, and shows the others', () => {
    const rows = Array.from({ length: 40 }, (_, index) => `${index},x`)
    const [column] = sniff(`n,t\n${rows.join('\n')}\nn/a,x\n`).columns
    expect(column).toMatchObject({ format: { type: 'integer' }, misfits: ['n/a'] })
    expect(column?.confidence).toBeCloseTo(40 / 41)
  })

  it('asks which of day and month comes first, with both readings', () => {
    expect(sniff('d,n\n01/02/2023,1\n03/04/2023,2\n').questions).toEqual([
      {
        kind: 'date_order',
        column: 1,
        example: '01/02/2023',
        options: [
          { value: 'dmy', reading: '2023-02-01' },
          { value: 'mdy', reading: '2023-01-02' },
        ],
      },
    ])
  })

  it('does not ask when one value decides the order', () => {
    const { columns, questions } = sniff('d,n\n01/02/2023,1\n13/02/2023,2\n')
    expect(questions).toEqual([])
    expect(columns[0]?.format).toEqual({ type: 'date', order: 'dmy' })
  })

  it('asks whether 1.234 is a thousand or one, and not about 18500.00', () => {
    expect(sniff('n;x\n1.234;a\n2.500;b\n').questions).toMatchObject([
      {
        kind: 'decimal_mark',
        column: 1,
        example: '1.234',
        options: [
          { value: 'point', reading: '1.234' },
          { value: 'comma', reading: '1234' },
        ],
      },
    ])
    const { columns, questions } = sniff('a;b\n18500.00;18.500,00\n')
    expect(questions).toEqual([])
    expect(columns.map(({ format }) => format)).toEqual([
      { type: 'decimal', mark: 'point' },
      { type: 'decimal', mark: 'comma' },
    ])
  })

  it('finds the formats by values of the middle and the tail too', () => {
    const head = 'd,n\n01/02/2023,1\n'
    const tail = 'cut,cut,cut\n13/02/2023,2\n'
    const samples = [
      { offset: 0, bytes: Buffer.from(head), isEnd: false },
      { offset: 5000, bytes: Buffer.from(tail), isEnd: true },
    ]
    expect(sniffFile(samples)).toMatchObject({
      columns: [{ format: { order: 'dmy' } }, {}],
      questions: [],
      sampledRecords: 2,
      sampledRejects: 0,
    })
  })

  it.each([
    ['UTF-8', Buffer.from('n,x\nä,1\n'), 'utf-8'],
    ['UTF-8 with a byte order mark', Buffer.from('\u{feff}n,x\na,1\n'), 'utf-8'],
    ['UTF-16', Buffer.from('\u{feff}n,x\nä,1\n', 'utf16le'), 'utf-16le'],
    ['UTF-16 with the high byte first', Buffer.from('\u{feff}n,x\nä,1\n', 'utf16le').swap16(), 'utf-16be'],
    ['Windows-1252', Buffer.from('n,x\nit\x92s,1\n', 'latin1'), 'windows-1252'],
    ['Latin-1', Buffer.from('n,x\nä,1\n', 'latin1'), 'iso-8859-1'],
  ])('finds that a file is %s', (_title, bytes, encoding) => {
    const proposal = sniff(bytes)
    expect(proposal.encoding.value).toBe(encoding)
    expect(proposal.columns.map(({ name, format }) => [name, format.type])).toEqual([
      ['n', 'text'],
      ['x', 'integer'],
    ])
  })

  it('asks about the encoding when lines disagree', () => {
    const bytes = Buffer.concat([Buffer.from('n,x\nä,1\nö,2\n'), Buffer.from([0x92]), Buffer.from(',3\n')])
    expect(sniff(bytes)).toMatchObject({
      encoding: { value: 'utf-8' },
      questions: [{ kind: 'encoding' }],
      sampledRejects: 1,
    })
  })

  it('finds objects a line, and a list of objects', () => {
    const lines = sniff('{"id":1,"at":"2024-01-01"}\n{"id":2,"tag":"x"}\n')
    expect(lines.layout).toBe('lines')
    expect(lines.columns.map(({ name, format }) => `${name} ${format.type}`)).toEqual([
      'id integer',
      'at date',
      'tag text',
    ])
    expect(sniff('[\n {"id":1},\n {"id":2}\n]').layout).toBe('array')
    expect(sniff(' [ ]').layout).toBe('array')
  })

  it('has no columns for an empty file, and no records for a header alone', () => {
    expect(sniff('')).toMatchObject({ columns: [], sampledRecords: 0 })
    expect(sniff('id,name,email\n')).toMatchObject({
      columns: [{ name: 'id' }, { name: 'name' }, { name: 'email' }],
      sampledRecords: 0,
    })
  })

  it('keeps the names of columns that come twice or are empty apart by position', () => {
    expect(sniff('id,x,x,\n1,2,3,\n').columns.map(({ position, name }) => [position, name])).toEqual([
      [1, 'id'],
      [2, 'x'],
      [3, 'x'],
      [4, 'column_4'],
    ])
  })
})
