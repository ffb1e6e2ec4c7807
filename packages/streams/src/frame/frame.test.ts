import { randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  decodeFrame,
  decodeFrameHeader,
  decodeFrameTraces,
  encodeFrame,
  FRAME_HEADER_BYTES,
  FRAME_TRACES_MAX,
  type FrameToEncode,
  parseProducerId,
} from './frame.js'

const producer = randomUUID()
const frame = (payload: Buffer, extra: Partial<FrameToEncode> = {}): FrameToEncode => ({
  producer: parseProducerId(producer),
  sequence: 7,
  flags: 1,
  records: 3,
  cumulativeRecords: 20,
  firstTimeMs: 1_700_000_000_000.5,
  lastTimeMs: 1_700_000_001_000,
  payload,
  ...extra,
})
const traces = Array.from({ length: 10 }, (_, n) => `00-${'a'.repeat(32)}-${String(n).padStart(16, 'b')}-01`)

describe('frames', () => {
  it('keep their header and payload when they are encoded and decoded', () => {
    const payload = Buffer.from('payload')
    expect(decodeFrame(encodeFrame(frame(payload)))).toEqual({
      header: {
        producer,
        sequence: 7,
        flags: 1,
        records: 3,
        cumulativeRecords: 20,
        firstTimeMs: 1_700_000_000_000.5,
        lastTimeMs: 1_700_000_001_000,
        rawBytes: 7,
      },
      payload,
    })
  })

  it('keep any payload and any count up to the largest safe integer when they are encoded and decoded', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 5000 }),
        fc.maxSafeNat(),
        fc.maxSafeNat(),
        fc.boolean(),
        (bytes, sequence, cumulativeRecords, isRepetitive) => {
          const payload = isRepetitive ? Buffer.alloc(bytes.length * 3, 'ab') : Buffer.from(bytes)
          const decoded = decodeFrame(encodeFrame(frame(payload, { sequence, cumulativeRecords })))
          return (
            decoded.payload.equals(payload) &&
            decoded.header.sequence === sequence &&
            decoded.header.cumulativeRecords === cumulativeRecords
          )
        },
      ),
    )
  })

  it('hold the traceparents of at most eight requests, and are unchanged without any', () => {
    for (const payload of [Buffer.from('payload'), Buffer.alloc(3000, 'abc')]) {
      const bytes = encodeFrame(frame(payload, { traces }))
      expect(decodeFrameTraces(bytes)).toEqual(traces.slice(0, FRAME_TRACES_MAX))
      expect(decodeFrame(bytes)).toMatchObject({ header: { sequence: 7, flags: 3, records: 3 }, payload })
      expect(encodeFrame(frame(payload, { traces: [] }))).toEqual(encodeFrame(frame(payload)))
    }
    expect(decodeFrameTraces(encodeFrame(frame(Buffer.from('payload'))))).toBeUndefined()
  })

  it('have a compressed payload if it is over 1 KiB and compression makes it smaller', () => {
    const sizeOf = (payload: Buffer) => encodeFrame(frame(payload)).length - FRAME_HEADER_BYTES
    expect(sizeOf(Buffer.alloc(1024, 'a'))).toBe(1024)
    expect(sizeOf(Buffer.alloc(10_000, 'a'))).toBeLessThan(200)
    expect(sizeOf(randomBytes(10_000))).toBe(10_000)
  })

  it('that are damaged, cut off or not frames at all are rejected with FRAME_CORRUPT and never decode to another payload', () => {
    const good = [
      encodeFrame(frame(Buffer.alloc(3000, 'abc'))),
      encodeFrame(frame(Buffer.from('short'))),
      encodeFrame(frame(Buffer.from('short'), { traces })),
    ]
    fc.assert(
      fc.property(
        fc.constantFrom(...good),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (bytes, at, change, isCut) => {
          const damaged = isCut ? bytes.subarray(0, at % bytes.length) : Buffer.from(bytes)
          if (!isCut) damaged[at % bytes.length] = (damaged[at % bytes.length] as number) ^ change
          try {
            // Counts and times of the header are not under the checksum; whatever else changes must not pass as the same payload.
            return decodeFrame(damaged).payload.equals(decodeFrame(bytes).payload)
          } catch (error) {
            return (error as { code?: string }).code === 'FRAME_CORRUPT'
          }
        },
      ),
      { numRuns: 2000 },
    )
    expect(() => decodeFrameHeader(Buffer.alloc(100))).toThrow('magic')
    expect(() => decodeFrameHeader(Buffer.alloc(0))).toThrow('inside its header')
  })
})
