import { describe, expect, it } from '@jest/globals'
import { createLogger } from '@millrace/logger'
import { createMetrics } from '@millrace/telemetry'
import { streamErrors } from '../errors.js'
import { DiskWatch, type DiskWatchConfig } from './disk-watch.js'

const MIN = 1000

function open(config: Partial<DiskWatchConfig> = {}) {
  const lines: string[] = []
  const free = new Map([
    ['/redis', 5000],
    ['/spool', 5000],
  ])
  const watch = new DiskWatch(
    { streamPath: '/redis', spoolPath: '/spool', freeBytesMin: MIN, ...config },
    {
      logger: createLogger({ service: 'test', flushLines: 1, write: (text) => lines.push(text) }),
      metrics: createMetrics({ service: 'test' }),
      readFreeBytes: async (path) => free.get(path) ?? Number.POSITIVE_INFINITY,
    },
  )
  return { watch, free, lines }
}

describe('the watch over the disks of a producer', () => {
  it('counts a disk as full below the limit, and again as usable a tenth above it', async () => {
    const { watch, free } = open()
    const states: boolean[] = []
    for (const bytes of [1000, 999, 1000, 1099, 1100]) {
      free.set('/redis', bytes)
      await watch.poll()
      states.push(watch.isStreamDiskFull)
    }
    expect(states).toEqual([false, true, true, true, false])
    expect(watch.isSpoolDiskFull).toBe(false)
  })

  it('counts no disk as full when the limit is 0 or the disk is on another machine', async () => {
    const off = open({ freeBytesMin: 0 })
    const remote = open({ streamPath: undefined, spoolPath: undefined })
    for (const { watch, free } of [off, remote]) {
      for (const path of free.keys()) free.set(path, 0)
      await watch.poll()
      expect([watch.isStreamDiskFull, watch.isSpoolDiskFull]).toEqual([false, false])
    }
  })

  it('adds the path and the free bytes to the refusal that readiness reports, and leaves other refusals alone', async () => {
    const { watch, free } = open()
    free.set('/redis', 12)
    free.set('/spool', 34)
    await watch.poll()
    expect(watch.explain(streamErrors.STREAM_DISK_FULL())).toMatchObject({
      code: 'STREAM_DISK_FULL',
      details: { disk_of: 'stream', path: '/redis', free_bytes: 12, needed_bytes: MIN },
    })
    expect(watch.explain(streamErrors.STREAM_SPOOL_FULL())).toMatchObject({
      code: 'STREAM_SPOOL_FULL',
      details: { disk_of: 'spool', path: '/spool', free_bytes: 34 },
    })
    const other = streamErrors.STREAM_FULL()
    expect(watch.explain(other)).toBe(other)
  })
})
