import { describe, expect, it } from '@jest/globals'
import { createMasker } from './masker.js'

const masker = createMasker({ fieldNames: ['iban'] })

describe('the built-in rules', () => {
  it.each([
    ['mail bob.smith+x@mail.example.co.uk now', 'mail [email] now'],
    ['<bob@example.com>', '<[email]>'],
    ['ssn 078-05-1120', 'ssn [ssn]'],
    ['ssn 078 05 1120.', 'ssn [ssn].'],
    ['card 4111111111111111', 'card [card]'],
    ['card 4111 1111 1111 1111, exp 12/29', 'card [card], exp 12/29'],
    ['card 5555-5555-5555-4444', 'card [card]'],
    ['amex 3782 822463 10005', 'amex [card]'],
    ['mastercard 2221000000000009', 'mastercard [card]'],
    ['call +49 30 1234567', 'call [phone]'],
    ['call +1 (415) 555-2671 today', 'call [phone] today'],
    ['call (415) 555-2671', 'call [phone]'],
    ['call 415-555-2671', 'call [phone]'],
    ['call 415.555.2671', 'call [phone]'],
    ['postgres://millrace:s3cret@db:5432/x', 'postgres://millrace:[masked]@db:5432/x'],
    ['Authorization: Bearer abcdef.ghijkl', 'Authorization: Bearer [masked]'],
    ['sent with bearer abcdef.ghijkl', 'sent with bearer [masked]'],
  ])('replace personal data and secrets in %j', (text, masked) => {
    expect(masker.text(text)).toBe(masked)
  })

  it.each([
    '2026-11-21T07:53:38.123Z',
    '2026-11-21T07:53:38.123+00:00',
    '1732178763000-0',
    'epoch 1732178763 and 1732178763000 and 1732178763000000',
    'c56a4180-65aa-42ec-a945-5fd21dec0538',
    '0af7651916cd43dd8448eb211c80319c',
    '192.168.100.200:8080',
    'card 4111 1111 1111 1112 fails the Luhn check',
    'version 1.2.3 of 20 packages, 100 200 300 events',
    'user@localhost',
    'its sn: 12',
    '{"a":"token=","b":"c"}',
    '{"password":null}',
  ])('leave times, ids, addresses and names without values alone: %j', (text) => {
    expect(masker.text(text)).toBe(text)
  })

  it.each([
    ['login with password=hunter2&user=1', 'login with password=[masked]&user=1'],
    ['api key: abc, x', 'api key: [masked], x'],
    ["{'password': 'hunter2 a', 'n': 1}", "{'password': '[masked]', 'n': 1}"],
    ['password="correct horse" user=1', 'password="[masked]" user=1'],
    ['{"token":"abc","n":1}', '{"token":"[masked]","n":1}'],
    ['{"x-api-key": "a b \\" c", "n": 1}', '{"x-api-key": "[masked]", "n": 1}'],
    ['{"userPassword":{"a":["}"]},"n":1}', '{"userPassword":"[masked]","n":1}'],
    ['{"pass_word":12,"pin":[true]}', '{"pass_word":"[masked]","pin":[true]}'],
    ['{"m":"{\\"password\\":\\"a b\\",\\"n\\":1}"}', '{"m":"{\\"password\\":\\"[masked]\\",\\"n\\":1}"}'],
    ['{"m":"iban=DE02 is","n":1}', '{"m":"iban=[masked] is","n":1}'],
  ])('replace the values of named fields in %j', (text, masked) => {
    expect(masker.text(text)).toBe(masked)
  })

  it.each([
    ['{"n":4111111111111111}', '{"n":"[card]"}'],
    ['[4111111111111111, 1]', '["[card]", 1]'],
    ['{"m":"card: 4111111111111111, ok"}', '{"m":"card: [card], ok"}'],
    ['{"m":"to\\nbob@example.com"}', '{"m":"to\\n[email]"}'],
    ['{"m":"\\u003cbob@example.com\\u003e"}', '{"m":"\\u003c[email]\\u003e"}'],
    ['{"m":"card\\n4111111111111111"}', '{"m":"card\\n[card]"}'],
  ])('keep JSON valid in %j', (text, masked) => {
    expect(masker.text(text)).toBe(masked)
    expect(() => JSON.parse(masked)).not.toThrow()
  })
})

describe('masking once', () => {
  it('also masks what a replacement completes', () => {
    const text = 'call +49 30 123 4567bob@example.com'
    expect(masker.text(text)).toBe('call [phone] [email]')
    expect(masker.text(masker.text(text))).toBe(masker.text(text))
  })
})
