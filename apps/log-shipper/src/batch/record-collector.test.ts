import { describe, expect, it } from '@jest/globals'
import { createMasker } from '@millrace/masking'
import { decodeBatch } from './log-batch.js'
import { RecordCollector } from './record-collector.js'

const NOW = Date.UTC(2026, 10, 30)

describe('the collector of the records of a request', () => {
  it('masks every text of a record before it keeps it', () => {
    const collector = new RecordCollector({ masker: createMasker(), receivedAtMs: NOW })
    const mail = 'bob@example.com'
    collector.add({
      timeMs: NOW,
      timeSubNs: 0,
      severity: 9,
      traceId: '',
      spanId: '',
      flags: 0,
      originalBytes: 0,
      service: mail,
      host: mail,
      severityText: mail,
      message: `to ${mail}`,
      attributes: { a: { b: [mail] }, password: 'x', [mail]: 1 },
    })
    const services = collector.finish()
    const [service = ''] = [...services.keys()]
    const bytes = services.get(service)?.[0]?.bytes ?? Buffer.alloc(0)
    expect(service).toBe('[email]')
    expect(decodeBatch(bytes, { service, partition: 0, firstOrdinal: 0 })).toMatchObject([
      {
        host: '[email]',
        severityText: '[email]',
        message: 'to [email]',
        attributesJson: '{"a":{"b":["[email]"]},"password":"[masked]","[email]":1}',
      },
    ])
    expect(bytes.includes(mail)).toBe(false)
  })
})
