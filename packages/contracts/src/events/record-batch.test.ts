import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { EVENT_TYPES, SIDE, SIDE_BYTES } from './record-batch.js'
import { RecordBatchBuilder } from './record-batch-builder.js'
import { decodeEventRow, RecordBatchReader } from './record-batch-reader.js'
import { type EventRecord, RecordSlices, SLICE } from './record-slices.js'

const text = fc.string({ unit: 'binary', maxLength: 60 })
const lane = fc.integer({ min: 0, max: 0xffff_ffff })
const json = fc.option(fc.json({ maxDepth: 2 }), { nil: null })
const record: fc.Arbitrary<EventRecord> = fc.record({
  tenantId: fc.integer({ min: 1, max: 0x7fff_ffff }),
  messageHashLo: lane,
  messageHashHi: lane,
  userHashLo: lane,
  userHashHi: lane,
  // From 2255 on a double no longer holds every microsecond since 2000.
  timestampMs: fc.integer({ min: -62_167_219_200_000, max: Date.UTC(2200, 0) }),
  receivedAtMs: fc.integer({ min: Date.UTC(1970, 0), max: Date.UTC(2200, 0) }),
  type: fc.integer({ min: 0, max: EVENT_TYPES.length - 1 }),
  flags: fc.integer({ min: 0, max: 1 }),
  messageId: text,
  event: text,
  userId: fc.option(text, { nil: null }),
  anonymousId: fc.option(text, { nil: null }),
  properties: json,
  context: json,
})

describe('the record batch codec', () => {
  it('gives back every record, series, point and tally', () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 80 }), (records) => {
        const builder = new RecordBatchBuilder()
        records.forEach((item, i) => {
          expect(builder.add(item, `["series",${i % 7}]`)).toBe(i)
          builder.addPoint(i, `["point",${i % 3}]`, i % 2 === 0 ? i / 3 : Number.NaN)
          builder.tally(item.tenantId, 2, 1)
        })
        const reader = new RecordBatchReader(builder.seal())
        expect(reader.records).toBe(records.length)
        const keys = reader.seriesKeys()
        records.forEach((item, i) => {
          const { start } = reader.rowRange(i)
          const { userHashLo, userHashHi, messageHashLo, messageHashHi, flags, ...row } = item
          expect(decodeEventRow(reader.payload, start)).toEqual({ ...row, userHash: expect.any(BigInt) })
          const side = reader.sideOffset + i * SIDE_BYTES
          expect(reader.payload.readUInt32LE(side + SIDE.messageHashHi)).toBe(messageHashHi)
          expect(reader.payload.readUInt32LE(side + SIDE.userHashLo)).toBe(userHashLo)
          expect(reader.payload[side + SIDE.flags]).toBe(flags)
          expect(keys[reader.payload.readUInt16LE(side + SIDE.series)]).toBe(`["series",${i % 7}]`)
          expect([messageHashLo, userHashHi]).toEqual([
            reader.payload.readUInt32LE(side),
            reader.payload.readUInt32LE(side + SIDE.userHashHi),
          ])
        })
        const points: [number, string | undefined, number][] = []
        reader.forEachPoint((index, series, value) => points.push([index, keys[series], value]))
        expect(points).toEqual(records.map((_, i) => [i, `["point",${i % 3}]`, i % 2 === 0 ? i / 3 : Number.NaN]))
        const accepted = reader.tallies().reduce((sum, tally) => sum + tally.accepted, 0)
        expect(accepted).toBe(2 * records.length)
      }),
      { numRuns: 50 },
    )
  })

  it('carries tallies without any record', () => {
    const builder = new RecordBatchBuilder()
    expect(builder.isEmpty).toBe(true)
    builder.tally(7, 3, 3)
    expect(builder.isEmpty).toBe(false)
    const reader = new RecordBatchReader(builder.seal())
    expect(reader.records).toBe(0)
    expect(reader.tallies()).toEqual([{ tenantId: 7, accepted: 3, rejected: 3 }])
  })

  it('writes the same bytes from slices as from texts', () => {
    const bytes = Buffer.from('idnameusér{"a":1}')
    const slices = Object.assign(new RecordSlices(), {
      bytes,
      tenantId: 3,
      timestampMs: 1,
      receivedAtMs: 2,
      type: 1,
      flags: 0,
    })
    slices.ranges.fill(-1)
    slices.ranges.set([0, 2, 2, 6, 6, 11], 2 * SLICE.messageId)
    slices.ranges.set([11, 18], 2 * SLICE.properties)
    const fromSlices = new RecordBatchBuilder()
    fromSlices.addSlices(slices, 'k')
    const fromTexts = new RecordBatchBuilder()
    const { ranges: _ranges, view: _view, ...numbers } = slices
    fromTexts.add(
      {
        ...numbers,
        messageId: 'id',
        event: 'name',
        userId: 'usér',
        anonymousId: null,
        properties: '{"a":1}',
        context: null,
      },
      'k',
    )
    expect(fromSlices.seal().equals(fromTexts.seal())).toBe(true)
  })

  it.each([
    ['in the buffer that it is given', 64 * 1024, true],
    ['in one of its own where that is too small', 100, false],
  ])('seals the same payload %s', (_name, bytes, isInside) => {
    const build = () => {
      const builder = new RecordBatchBuilder()
      const series = '[1,"name",null,[],[]]'
      for (let i = 0; i < 50; i++) builder.addPoint(i, series, i)
      builder.tally(1, 50, 0)
      return builder
    }
    const into = Buffer.alloc(bytes, 0xee)
    const payload = build().seal(into)
    expect(payload.equals(build().seal())).toBe(true)
    expect(payload.buffer === into.buffer).toBe(isInside)
  })

  it('counts series and points as bytes, so that a frame is sealed before the side table runs out of series', () => {
    const builder = new RecordBatchBuilder()
    for (let i = 0; i < 50_000; i++) builder.series(`[1,"event number ${i}",null,[],[]]`)
    expect(builder.bytes).toBeGreaterThan(1024 * 1024)
    for (let i = 0; i < 15_536; i++) builder.series(`further ${i}`)
    expect(() => builder.series('one too many')).toThrow(RangeError)
  })

  it.each([
    ['shorter than its header', Buffer.alloc(10)],
    ['with offsets that do not fit', Buffer.alloc(64, 0xff)],
  ])('refuses a payload %s', (_name, payload) => {
    expect(() => new RecordBatchReader(payload)).toThrow(RangeError)
  })
})
