import { describe, expect, it } from '@jest/globals'
import { encodeBatch } from '../src/batch/log-batch.js'
import { LogChunkBuilder } from '../src/store/build-chunks.js'
import { ChunkThread } from '../src/store/chunk-thread.js'

const rule = { retentionMs: 90 * 86_400_000, provenShare: 1 }
/** The built program: a thread does not compile TypeScript. */
const program = new URL('../dist/store/chunk-worker.js', import.meta.url)
const NOW = 1_764_500_000_000

function batch(lines: number) {
  const bytes = encodeBatch(
    Array.from({ length: lines }, (_, line) => ({
      timeMs: NOW + line,
      timeSubNs: 0,
      severity: 9,
      severityText: 'info',
      service: 'cart',
      host: 'a',
      traceId: '',
      spanId: '',
      message: `order ${line} failed`,
      attributesJson: '{"n":1}',
      flags: 0,
      originalBytes: 0,
    })),
  )
  const shared = Buffer.from(new SharedArrayBuffer(bytes.length))
  shared.set(bytes)
  return { tenantId: 1, service: 'cart', partition: 0, firstOrdinal: 0, lines, receivedAtMs: NOW, bytes: shared }
}

describe('the thread that builds chunks', () => {
  it('makes the same rows as building them in the calling thread, and leaves the batches as they are', async () => {
    const thread = new ChunkThread({ rule, program })
    try {
      const large = batch(6000)
      const before = Buffer.from(large.bytes)
      const { rows, unproven } = await thread.build([large])
      const expected = new LogChunkBuilder(rule).build([large])
      expect(rows.length).toBeGreaterThan(0)
      expect(unproven).toEqual([])
      expect(rows.map(({ tuple }) => Buffer.from(tuple).toString('hex'))).toEqual(
        expected.rows.map(({ tuple }) => Buffer.from(tuple).toString('hex')),
      )
      expect(large.bytes.equals(before)).toBe(true)
    } finally {
      await thread.close()
    }
  })

  it('fails a window whose bytes are not valid or whose thread ends, and builds the next one', async () => {
    const thread = new ChunkThread({ rule, program })
    try {
      const broken = batch(5000)
      broken.bytes.writeUInt8(255, broken.bytes.length - 3)
      await expect(thread.build([broken])).rejects.toThrow('chunks cannot be built')
      const building = thread.build([batch(50_000)])
      await thread.close()
      await expect(building).rejects.toThrow('the thread that builds chunks ended')
      expect((await thread.build([batch(5000)])).rows.length).toBeGreaterThan(0)
    } finally {
      await thread.close()
    }
  })
})
