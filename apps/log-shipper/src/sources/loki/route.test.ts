import { describe, expect, it } from '@jest/globals'
import { compressSync } from 'snappy'
import { CollectedRecords } from '../../testing/collect-records.js'
import { lokiSource } from './route.js'

describe('the push route of Loki', () => {
  it('refuses a Snappy body that would be larger than LOG_BODY_BYTES_MAX, and keeps nothing of it', () => {
    const sink = new CollectedRecords()
    const body = Buffer.from(compressSync(Buffer.alloc(10_001)))
    const request = { headers: {}, url: '/loki/api/v1/push', body, bodyBytesMax: 10_000, receivedAtMs: 0 }
    for (const { decode } of lokiSource.routes)
      expect(() => decode(request, sink)).toThrow(expect.objectContaining({ code: 'BODY_TOO_LARGE' }))
    expect(sink.records).toEqual([])
  })
})
