import { describe, expect, it } from '@jest/globals'
import { payloadOf, type TestEvent } from '../../test/support/frames.js'
import { eventKeys } from './event-keys.js'
import { openFrame } from './frame-view.js'

function keysOf(events: readonly TestEvent[]): string[] {
  const words = eventKeys(events.length, openFrame(payloadOf(events), events.length))
  return events.map((_, index) => `${words[2 * index]} ${words[2 * index + 1]}`)
}

const many = Array.from({ length: 20_000 }, (_, n) => `id-${n}`)

describe('the keys of deduplication', () => {
  it.each<[string, readonly TestEvent[]]>([
    ['users with one message id', many.map((userId) => ({ messageId: 'm', userId }))],
    ['message ids of one user', many.map((messageId) => ({ messageId, userId: 'ann' }))],
    ['events whose message id is the id of their user', many.map((id) => ({ messageId: id, userId: id }))],
    [
      "events whose message id is the id of the other event's user",
      many.flatMap((id) => [
        { messageId: id, userId: `${id} x` },
        { messageId: `${id} x`, userId: id },
      ]),
    ],
    ['tenants with one user and message id', many.map((_, n) => ({ messageId: 'm', userId: 'ann', tenantId: n + 1 }))],
  ])('differ for %s', (_what, events) => {
    expect(new Set(keysOf(events)).size).toBe(events.length)
  })

  it('are equal for an event that is sent again, also when the user is given as anonymous id', () => {
    const [first, again, anonymous] = keysOf([
      { messageId: 'm', userId: 'ann', timestampMs: 1 },
      { messageId: 'm', userId: 'ann', timestampMs: 2, event: 'Other' },
      { messageId: 'm', userId: null, anonymousId: 'ann' },
    ])
    expect(again).toBe(first)
    expect(anonymous).toBe(first)
  })
})
