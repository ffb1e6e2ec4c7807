import { describe, expect, it } from '@jest/globals'
import { createMasker } from '@millrace/masking'
import fc from 'fast-check'
import { type KeptRejection, REJECTION_BYTES_MAX, writeRejection } from './kept-rejection.js'
import { DRAFT_BYTES_MAX, NO_EVENT, type RejectionDraft } from './rejection-draft.js'

const masker = createMasker({ fieldNames: ['iban'] })

function write(changes: Partial<RejectionDraft>): KeptRejection {
  const text = writeRejection({ ...draft, ...changes }, masker)
  return JSON.parse(text) as KeptRejection
}

/** The draft of an event of which no more than DRAFT_BYTES_MAX bytes were copied. */
function ofText(text: string): Partial<RejectionDraft> {
  const bytes = Buffer.from(text)
  return { bytes: bytes.subarray(0, DRAFT_BYTES_MAX), size: bytes.length }
}

const draft: RejectionDraft = {
  tenantId: 7,
  atMs: Date.UTC(2026, 10, 21, 8),
  scope: 'event',
  wire: 'segment',
  path: '/v1/batch',
  code: 'missing_user',
  reason: 'an event must have a userId or an anonymousId',
  index: 3,
  userAgent: 'node/20',
  event: {
    ...NO_EVENT,
    messageId: 'm',
    type: 'track',
    name: 'A',
    context: '{"library":{"name":"analytics-node","version":"2.3.0"}}',
  },
  bytes: Buffer.from('{"event":"A"}'),
  size: 13,
  omitted: 0,
}

describe('a kept rejection', () => {
  it('has what identifies the event, the client library and an excerpt', () => {
    expect(write({})).toEqual({
      time: '2026-11-21T08:00:00.000Z',
      scope: 'event',
      wire: 'segment',
      path: '/v1/batch',
      code: 'missing_user',
      reason: 'an event must have a userId or an anonymousId',
      index: 3,
      message_id: 'm',
      type: 'track',
      event: 'A',
      user_id: null,
      anonymous_id: null,
      library: 'analytics-node 2.3.0',
      user_agent: 'node/20',
      excerpt: '{"event":"A"}',
      bytes: 13,
      omitted: 0,
    })
  })

  it('is masked by the rules of log lines in every text', () => {
    const event = {
      ...NO_EVENT,
      messageId: 'bob@example.com',
      name: 'card 4111 1111 1111 1111',
      userId: 'bob@example.com',
    }
    const text =
      '{"writeKey":"mr_secret","properties":{"password":"hunter2","iban":"DE89","mail":"bob@example.com","n":4111111111111111}}'
    const kept = write({ event, ...ofText(text), userAgent: 'x bob@example.com', reason: 'bad bob@example.com' })
    expect(kept.excerpt).toBe(
      '{"writeKey":"[masked]","properties":{"password":"[masked]","iban":"[masked]","mail":"[email]","n":"[card]"}}',
    )
    expect([kept.message_id, kept.event, kept.user_id]).toEqual(['[email]', 'card [card]', '[email]'])
    expect([kept.user_agent, kept.reason]).toEqual(['x [email]', 'bad [email]'])
  })

  it.each([
    ['a password', (fill: string) => `{"password":"${fill}${'s3cret-'.repeat(2000)}"}`, /s3cret/],
    ['a card number', (fill: string) => `{"password":"${fill}","n":"4111 1111 1111 1111"}`, /4111/],
    ['an e-mail address', (fill: string) => `{"password":"${fill}","n":"bob.smith@example.com"}`, /bob/],
    ['a password of a URL', (fill: string) => `{"password":"${fill}","u":"redis://u:s3cret@h"}`, /s3cret/],
  ])('shows nothing of %s that the end of the copied bytes cuts in two', (_name, make, secret) => {
    for (let cutAt = 1; cutAt < 40; cutAt++) {
      const fill = 'x'.repeat(DRAFT_BYTES_MAX - cutAt)
      expect(write(ofText(make(fill))).excerpt ?? '').not.toMatch(secret)
    }
  })

  it('is at most 4 KiB of JSON, whatever the event holds', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', '"', '\0', '\u{1F600}', 'é'), maxLength: 3000 })
    fc.assert(
      fc.property(texts, texts, texts, (excerpt, name, reason) => {
        const event = { messageId: name, type: name, name, userId: name, anonymousId: name, context: name }
        const text = writeRejection({ ...draft, event, reason, userAgent: name, ...ofText(excerpt) }, masker)
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(REJECTION_BYTES_MAX)
      }),
    )
  })

  it.each([
    ['no context', null, null],
    ['a context that is not JSON', '{', null],
    ['a context without a library', '{"ip":"1.2.3.4"}', null],
    ['a library without a version', '{"library":{"name":"x"}}', 'x'],
    ['a library that is a string', '{"library":"x"}', 'x'],
    ['a library without a name', '{"library":{"version":"1"}}', null],
    ['a context that is null', 'null', null],
  ])('has the library that the context names, with %s', (_name, context, library) => {
    expect(write({ event: { ...NO_EVENT, context } }).library).toBe(library)
  })
})
