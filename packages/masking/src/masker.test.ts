import { describe, expect, it } from '@jest/globals'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import { createMasker } from './masker.js'

const masker = createMasker({ fieldNames: ['iban'] })

/** Pieces that rules look for, and pieces that could break what they are put together to. */
const PIECES = [
  'bob@example.com',
  '4111111111111111',
  '4111 1111 1111 1111',
  '078-05-1120',
  '+49 30 1234567',
  '(415) 555-2671',
  'Bearer ',
  'basic ',
  'abcdef.ghijkl',
  '://',
  'postgres://u:',
  '@',
  'password',
  'api key',
  '"token"',
  "'cookie'",
  'iban',
  '=',
  ': ',
  '":"',
  ':{',
  '["',
  'null',
  '"',
  "'",
  '\\',
  '\\"',
  '\\n',
  '\\u0041',
  '{',
  '}',
  '[',
  ']',
  ',',
  '\n',
  ' ',
  '1',
  '-',
  'ä',
  '€',
  '😀',
  '\u00a0',
  '\u0000',
  '[masked]',
  '[card]',
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2ln',
  'DE89 3704 0044 0532 0130 00',
  'ghp_0123456789abcdefghijABCDEFGHIJ012345',
  'sk-',
  '-----BEGIN PRIVATE KEY-----',
  '-----END PRIVATE KEY-----',
  'order_id',
  '%40',
]
const hostileText = fc
  .array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...PIECES) }, fc.string({ unit: 'binary', maxLength: 4 })))
  .map((pieces) => pieces.join(''))
/** Without lone surrogates, which UTF-8 cannot carry. */
const utf8Text = hostileText.map((text) => text.toWellFormed())
const json = fc.jsonValue({ stringUnit: 'binary' })
const jsonWithPieces: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    hostileText,
    fc.constantFrom(4111111111111111, 1732178763000, -1.5e10, true, null),
    json,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(hostileText, fc.constantFrom('password', 'x-api-key', 'n')), tie('value'), { maxKeys: 4 }),
    // A document inside a string of another one.
    tie('value').map((value) => JSON.stringify(value)),
  ),
})).value

const RUNS = { numRuns: propertyRuns(1_000) }

describe('a masker', () => {
  it('changes nothing in a text that is masked already', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const once = masker.text(text)
        expect(masker.text(once)).toBe(once)
      }),
      RUNS,
    )
  })

  it('masks a match that only the replacement of another match makes visible', () => {
    expect(masker.text('+49 30 123 4567bob@example.com')).toBe('[phone] [email]')
  })

  it('masks UTF-8 bytes exactly as the decoded text', () => {
    const custom = createMasker({
      rules: [{ name: 'word', detector: /ä[^b]{1,3}b/g, replacement: '[word]' }],
      fieldNames: ['straße'],
    })
    expect(Buffer.from(custom.bytes(Buffer.from('äöb'))).toString()).toBe('[word]')
    fc.assert(
      fc.property(utf8Text, (text) => {
        const bytes = Buffer.from(text)
        for (const one of [masker, custom]) {
          const masked = one.bytes(bytes)
          expect(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(masked)).toBe(one.text(text))
        }
      }),
      { ...RUNS, examples: [['[\u00a04111111111111111']] },
    )
  })

  it('returns the bytes it was given where nothing is masked, valid UTF-8 or not', () => {
    const plain = Buffer.from('{"message":"größer als 5 €","n":12}')
    const invalid = new Uint8Array([0x61, 0xff, 0xc3, 0x62])
    expect(masker.bytes(plain)).toBe(plain)
    expect(masker.bytes(invalid)).toBe(invalid)
    expect([...masker.bytes(new Uint8Array([0xff, ...Buffer.from(' bob@example.com')]))]).toEqual([
      0xff,
      ...Buffer.from(' [email]'),
    ])
  })

  it('keeps a JSON object or array valid, with its keys and its shape', () => {
    fc.assert(
      fc.property(fc.oneof(fc.array(jsonWithPieces), fc.dictionary(hostileText, jsonWithPieces)), (value) => {
        for (const indent of [undefined, 2]) {
          const masked: unknown = JSON.parse(masker.text(JSON.stringify(value, undefined, indent)))
          expect(Array.isArray(masked)).toBe(Array.isArray(value))
          if (Array.isArray(value)) expect(masked).toHaveLength(value.length)
        }
      }),
      RUNS,
    )
  })

  it('keeps each line of JSON lines valid', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ m: hostileText, n: jsonWithPieces }), { minLength: 1 }), (values) => {
        const masked = masker.text(values.map((value) => JSON.stringify(value)).join('\n'))
        expect(masked.split('\n').map((line) => Object.keys(JSON.parse(line) as object))).toEqual(
          values.map(() => ['m', 'n']),
        )
      }),
      RUNS,
    )
  })

  it('masks 1 MB of hostile text, which a search that is not linear would not finish', () => {
    const repeated = (piece: string) => piece.repeat(Math.ceil(1_000_000 / piece.length))
    for (const text of [
      `${repeated('a')}@`,
      `@${repeated('a.')}`,
      repeated('4'),
      repeated('4111 '),
      repeated('+1 '),
      repeated('1-'),
      repeated('://a:'),
      repeated('://'),
      repeated('token:'),
      `token:${repeated('\\')}`,
      `{"${repeated('\\')}":"token":{`,
      repeated('"token":{'),
      repeated('"token":"\\'),
      repeated("token='"),
      repeated('\\":'),
      repeated('[4111111111111111,"token="'),
      repeated('bearer '),
      repeated('eyJ-'),
      repeated('eyJaaaaaaaaaaaa.'),
      repeated('xoxb-'),
      repeated('hvs.'),
      repeated('sk-'),
      repeated('a%40a'),
      repeated('order_id='),
      repeated('"order_id":"'),
      repeated('-----BEGIN PRIVATE KEY-----'),
      repeated('DE89 '),
      repeated('+1-'),
      repeated('(415)'),
      repeated('ä@ä.'),
      repeated('\\n'),
    ]) {
      const masked = masker.text(text)
      expect(masker.bytes(Buffer.from(text)).toString()).toBe(masked)
    }
  })

  it('leaves nothing that the regular expressions of an address, a social security number or a telephone number find', () => {
    const reference = [
      /(?<![\w.%+'\\-])[A-Za-z0-9._+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}(?!png|js)[A-Za-z]{2,24}\b/,
      /(?<![\w.\\-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w.-])/,
      /(?<![\w.\\-])(?:\(\d{3}\) |\d{3}-)\d{3}-\d{4}(?![\w.-])/,
      /(?<![\w.\\-])4\d{15}(?![\w.-])/,
    ]
    // A field that is an id may hold one plain id, which may consist of digits.
    const plainId = /(?<=order[_ -]*id(?:\\*["']|)\s*[:=]\s*(?:\\*["']|))[\w.:/#-]{1,128}(?![^\s\\"',;&|)\]}>])/gi
    fc.assert(
      fc.property(hostileText, (text) => {
        const masked = masker.text(text).replaceAll('4111111111111112', '').replace(plainId, '')
        for (const expression of reference) expect(masked).not.toMatch(expression)
      }),
      RUNS,
    )
  })

  it.each([
    ['order_id:{078-05-1120', 'order_id:{[ssn]'],
    ['order_id={"a":"415-555-2671"}', 'order_id={"a":"[phone]"}'],
    ['order_id=078 05 1120', 'order_id=[ssn]'],
    ['order_id=x@4111111111111111', 'order_id=x@[card]'],
    ['{"order_id":"call 415-555-2671"}', '{"order_id":"call [phone]"}'],
    ['order_id=4111111111111111@x', 'order_id=[card]@x'],
    ['order_id=415-555-2671{x}', 'order_id=[phone]{x}'],
    ['order_id=7|password=hunter2', 'order_id=7|password=[masked]'],
    ['order_id=a/password:hunter2', 'order_id=a/password:[masked]'],
  ])('masks what the field of an id holds besides one plain id: %s', (text, masked) => {
    expect(masker.text(text)).toBe(masked)
  })

  it.each([
    'order_id=4111111111111111',
    'order_id: 078-05-1120, next',
    '[order_id=415-555-2671]',
    "{'order_id': '4111111111111111'}",
    '{"order_id":"urn:order:4111111111111111","n":1}',
    String.raw`{"line":"{\"order_id\":\"4111111111111111\"}"}`,
  ])('leaves one plain id in the field of an id: %s', (text) => {
    expect(masker.text(text)).toBe(text)
  })

  it.each([
    ['https://4111111111111111:hunter2@example.com', 'https://[card]:[masked]@example.com'],
    ['://078-05-1120:hunter2@h', '://[ssn]:[masked]@h'],
    ['://token=abc:hunter2@h', '://token=[masked]'],
  ])('masks the user of a URL with a password as well: %s', (text, masked) => {
    expect(masker.text(text)).toBe(masked)
  })

  it.each([
    ['bob@example.com\u{10858}', '[email]\u{10858}'],
    ['bob@example.comsk-\u{18df3}x', '[email]-\u{18df3}x'],
    ['bob@exämple.com-x', '[email]-x'],
    ['bob@bücher.de.png', '[email].png'],
    ['bob@bücher.png', 'bob@bücher.png'],
  ])(
    'ends an address behind the last letters that may be a top-level domain, beyond ASCII as well: %s',
    (text, masked) => {
      expect(masker.text(text)).toBe(masked)
    },
  )

  it('counts what each rule has masked, in texts, bytes and objects', () => {
    const counted = createMasker()
    counted.text('bob@example.com and eve@example.com, password=x')
    counted.bytes(Buffer.from('{"n":4111111111111111}'))
    counted.value({ token: 'a', call: '415-555-2671', also: 'token=[masked]' })
    expect(Object.fromEntries(counted.counts)).toEqual({
      field: 2,
      url_password: 0,
      authorization: 0,
      email: 2,
      card: 1,
      ssn: 0,
      phone: 1,
      iban: 0,
      jwt: 0,
      key: 0,
    })
  })
})

describe('a mask rule', () => {
  it('is one entry: a name, an expression and a replacement', () => {
    const rules = [{ name: 'order', detector: /\bORD-\d{6,10}/g, replacement: '[order]' }]
    const one = createMasker({ rules })
    expect(one.text('order ORD-1234567 of bob@example.com')).toBe('order [order] of [email]')
    expect(one.counts.get('order')).toBe(1)
  })

  it('masks a number of a JSON text as a string, also behind characters beyond ASCII', () => {
    const one = createMasker({ rules: [{ name: 'pin', detector: /77\d{4}/g, replacement: '[pin]' }] })
    expect(one.text('{"ä":"Ģ","n":771234,"m":"771234"}')).toBe('{"ä":"Ģ","n":"[pin]","m":"[pin]"}')
  })

  it('is off when the masker is created without it', () => {
    const one = createMasker({ builtIn: ['card'] })
    expect(one.text('card 4111111111111111 of bob@example.com, password=x')).toBe(
      'card [card] of bob@example.com, password=x',
    )
  })

  it('keeps what its groups before and after match', () => {
    const one = createMasker({
      rules: [{ name: 'pin', detector: /(?<before>pin )\d{4}(?<after>;)/g, replacement: '[pin]' }],
    })
    expect(one.text('pin 1234; 5678')).toBe('pin [pin]; 5678')
  })

  it.each([
    ['takes more than linear time', /(a+)+b/g, 'x', /no bound/],
    ['has a repeat without a bound before its end', /a*b/g, 'x', /no bound/],
    ['repeats a group without a bound', /(?:ab)+/g, 'x', /no bound/],
    ['replaces only the first match', /a/, 'x', /not global/],
    ['could break JSON', /a/g, '"', /ASCII/],
  ])('is refused when it %s', (_why, detector, replacement, message) => {
    expect(() => createMasker({ rules: [{ name: 'bad', detector, replacement }] })).toThrow(message)
  })
})
