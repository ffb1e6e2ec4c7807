import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DecodeFault } from '../../fields/decode-fault.js'
import { LOG_FLAGS } from '../../records/log-record.js'
import { CollectedRecords } from '../../testing/collect-records.js'
import { EMPTY_RECORD, plainOf } from '../../testing/expect-record.js'
import { decodeJournal } from './decode.js'

function decode(body: Buffer | string): CollectedRecords {
  const sink = new CollectedRecords()
  decodeJournal(Buffer.from(body), sink)
  return sink
}

function binary(name: string, value: Buffer): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(value.length))
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, Buffer.from('\n')])
}

const head = '__CURSOR=c\n__REALTIME_TIMESTAMP=1764499999123456\n_HOSTNAME=node-1\nPRIORITY=3\nSYSLOG_IDENTIFIER=sshd\n'
const base = {
  ...EMPTY_RECORD,
  timeMs: 1_764_499_999_123,
  timeSubNs: 456_000,
  severity: 17,
  severityText: '3',
  service: 'sshd',
  host: 'node-1',
  message: 'm',
  attributes: { __CURSOR: 'c', __REALTIME_TIMESTAMP: '1764499999123456' },
}

describe('the journal export format', () => {
  it('has entries of text fields, with a blank line after each, which the last one may lack', () => {
    expect(plainOf(decode(`${head}MESSAGE=m\n\n${head}MESSAGE=m`).records)).toEqual(plainOf([base, base]))
    expect(decode('\n\n').records).toEqual([])
  })

  it('has fields of any bytes, and prefers the time of the sender', () => {
    const message = Buffer.from('a\nb=c\n\n\xff', 'latin1')
    const body = Buffer.concat([
      Buffer.from(`${head}_SOURCE_REALTIME_TIMESTAMP=1764499998000001\n`),
      binary('MESSAGE', message),
    ])
    expect(plainOf(decode(body).records)).toMatchObject([
      { timeMs: 1_764_499_998_000, timeSubNs: 1_000, message: 'a\nb=c\n\n\ufffd', flags: LOG_FLAGS.utf8Repaired },
    ])
  })

  it('keeps every value of a field that occurs twice, and takes the unit as service where nothing else names it', () => {
    expect(plainOf(decode('_SYSTEMD_UNIT=a.service\nX=1\nX=2\nMESSAGE=m\n').records)).toMatchObject([
      { service: 'a.service', attributes: { X: '1', 'X#2': '2' }, flags: LOG_FLAGS.keysRepeated },
    ])
  })

  it('refuses its whole request when a field is cut off or its length is wrong', () => {
    const whole = binary('MESSAGE', Buffer.from('m'.repeat(20)))
    const huge = Buffer.concat([Buffer.from('MESSAGE\n'), Buffer.alloc(8, 0xff), Buffer.from('m')])
    const short = Buffer.from(whole)
    short.writeBigUInt64LE(5n, 8)
    for (const body of [whole.subarray(0, 10), whole.subarray(0, 20), huge, short])
      expect(() => decode(Buffer.concat([Buffer.from(`${head}\n`), body]))).toThrow(DecodeFault)
  })

  it('gives a record or a fault for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decode(Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeFault)
        }
      }),
    )
  })
})
