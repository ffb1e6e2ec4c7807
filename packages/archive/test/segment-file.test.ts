import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { isMillraceError } from '@millrace/contracts'
import fc from 'fast-check'
import { NO_HASH, type SegmentFacts } from '../src/segment/entry.js'
import { decodeObject, decryptSegment, encodeSegment } from '../src/segment/segment-file.js'

const PLACE = { tenantId: 7, stream: 'logs', day: '2026-11-30', seq: 1, previous: NO_HASH }
const KEY = { version: 1, key: randomBytes(32) }
const FACTS: SegmentFacts = {
  kind: 'test.1',
  hour: '2026-11-30T14',
  records: 3,
  firstMs: 1,
  lastMs: 2,
  labels: ['error'],
}
const sealedAt = new Date('2026-11-30T15:00:00Z')
const encode = (payload: Buffer, place = PLACE) => encodeSegment(place, FACTS, { payload, key: KEY, sealedAt })

function codeOf(work: () => unknown): string {
  try {
    work()
    return 'no error'
  } catch (error) {
    return isMillraceError(error) ? error.code : `other: ${String(error)}`
  }
}

describe('a segment of the archive', () => {
  it('gives back any payload, and its object does not contain the payload', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        const payload = Buffer.from(bytes)
        const object = encode(payload)
        if (payload.length > 8) expect(object.includes(payload)).toBe(false)
        expect(decryptSegment('k', decodeObject('k', object, PLACE), KEY.key).equals(payload)).toBe(true)
      }),
    )
  })

  it('has other bytes each time that the same payload is sealed, because each segment has a data key of its own', () => {
    const payload = Buffer.from('the same')
    const bodies = Array.from({ length: 50 }, () => decodeObject('k', encode(payload), PLACE).body.toString('hex'))
    expect(new Set(bodies).size).toBe(50)
  })

  it('is refused with a code of the archive when any byte of it is changed', () => {
    const object = encode(Buffer.from('some payload'))
    for (let at = 0; at < object.length; at++) {
      const changed = Buffer.from(object)
      changed[at] = (changed[at] as number) ^ (1 << (at % 8))
      // A changed entry can be a valid one; the chain and the key notice it.
      const code = codeOf(() => {
        const stored = decodeObject('k', changed, PLACE)
        if (stored.hash !== decodeObject('k', object, PLACE).hash) throw new Error('the hash differs')
        return decryptSegment('k', stored, KEY.key)
      })
      expect([code, at]).toEqual([expect.stringMatching(/^ARCHIVE_|the hash differs/), at])
    }
  })

  it('is named truncated at every length that is too short, and modified when bytes follow it', () => {
    const object = encode(Buffer.from('some payload'))
    for (let length = 0; length < object.length; length++)
      expect(codeOf(() => decodeObject('k', object.subarray(0, length), PLACE))).toBe('ARCHIVE_TRUNCATED')
    expect(codeOf(() => decodeObject('k', Buffer.concat([object, Buffer.of(0)]), PLACE))).toBe('ARCHIVE_CORRUPT')
  })

  it('is refused at another place of the same chain, and for another tenant, stream or day', () => {
    const object = encode(Buffer.from('some payload'))
    for (const other of [{ seq: 2 }, { tenantId: 8 }, { stream: 'events' }, { day: '2026-12-01' }])
      expect(codeOf(() => decodeObject('k', object, { ...PLACE, ...other }))).toBe('ARCHIVE_CORRUPT')
  })

  it('cannot be decrypted by another key, nor with an entry that was written for another place', () => {
    const object = decodeObject('k', encode(Buffer.from('some payload')), PLACE)
    expect(codeOf(() => decryptSegment('k', object, randomBytes(32)))).toBe('ARCHIVE_CORRUPT')
    for (const other of [{ tenantId: 8 }, { seq: 2 }, { previous: 'a'.repeat(64) }, { kind: 'other' }]) {
      const moved = { ...object, entry: { ...object.entry, ...other } } as typeof object
      expect(codeOf(() => decryptSegment('k', moved, KEY.key))).toBe('ARCHIVE_CORRUPT')
    }
  })

  it('is refused with a code of the archive, whatever bytes somebody puts in its place', () => {
    const head = encode(Buffer.alloc(0)).subarray(0, 12)
    const json = fc.json().map((text) => {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(Buffer.byteLength(text))
      return Buffer.concat([head.subarray(0, 8), length, Buffer.from(text)])
    })
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((all) => Buffer.from(all)),
      fc.uint8Array({ maxLength: 200 }).map((all) => Buffer.concat([head, all])),
      json,
    )
    fc.assert(fc.property(bytes, (all) => /^ARCHIVE_/.test(codeOf(() => decodeObject('k', all, PLACE)))))
  })

  it('names a format version that this release does not know', () => {
    const object = encode(Buffer.from('x'))
    object[4] = 2
    expect(codeOf(() => decodeObject('k', object, PLACE))).toBe('ARCHIVE_VERSION_UNKNOWN')
  })
})
