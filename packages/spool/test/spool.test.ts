import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type LogFields, type Logger, silentLogger } from '@millrace/logger'
import fc from 'fast-check'
import { nodeFileSystem } from '../src/node-file-system.js'
import { openSpool } from '../src/open-spool.js'
import type { Spool } from '../src/spool-types.js'
import { type TextRecord, textCodec } from './text-codec.js'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-spool-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const record = (key: number, text: string): TextRecord => ({ key, text })
const open = (bytesMax = 1024 ** 2, segmentBytes = 200, logger = silentLogger) =>
  openSpool({ directory, bytesMax, segmentBytes }, { codec: textCodec, logger })
const segments = () => readdirSync(directory).filter((name) => name.endsWith('.spool'))
const texts = (records: readonly TextRecord[]) => records.map(({ text }) => text)

/** Reads and removes all records. */
async function drain(spool: Spool<TextRecord>, recordsMax = 3): Promise<string[]> {
  const drained: string[] = []
  for (;;) {
    const records = await spool.read(recordsMax, 1000)
    if (records.length === 0) return drained
    drained.push(...texts(records))
    await spool.removeRead()
  }
}

function recordingLogger(): Logger & { lines: [string, LogFields | undefined][] } {
  const lines: [string, LogFields | undefined][] = []
  const logger = {
    ...silentLogger,
    lines,
    child: () => logger,
    warn: (message: string, fields?: LogFields) => void lines.push([`warn ${message}`, fields]),
    error: (message: string, fields?: LogFields) => void lines.push([`error ${message}`, fields]),
  }
  return logger
}

describe('the spool', () => {
  it('returns records in the order of their appends, and counts them by key', async () => {
    const spool = await open()
    await spool.append([record(1, 'a'), record(2, 'b')])
    await spool.append([record(1, 'c')])
    expect([spool.records, spool.recordsOf(1), spool.recordsOf(2), spool.recordsOf(3)]).toEqual([3, 2, 1, 0])
    expect(await spool.read(10, 1000)).toEqual([record(1, 'a'), record(2, 'b'), record(1, 'c')])
    await spool.removeRead()
    expect([spool.records, spool.bytes, segments()]).toEqual([0, 0, []])
    await spool.close()
  })

  it('returns the same records again until they are removed', async () => {
    const spool = await open()
    await spool.append([record(0, 'a'), record(0, 'b')])
    expect(texts(await spool.read(1, 1000))).toEqual(['a'])
    expect(texts(await spool.read(1, 1000))).toEqual(['a'])
    await spool.removeRead()
    expect(texts(await spool.read(1, 1000))).toEqual(['b'])
    await spool.close()
  })

  it('returns a record that is larger than the read allows', async () => {
    const spool = await open()
    const large = 'x'.repeat(50_000)
    await spool.append([record(0, large)])
    expect(texts(await spool.read(1, 10))).toEqual([large])
    await spool.close()
  })

  it('continues after a restart at the record after the last removed one, and deletes segments whose records were all removed', async () => {
    const first = await open()
    for (let i = 0; i < 20; i++) await first.append([record(0, `record ${i} ${'-'.repeat(50)}`)])
    expect(segments().length).toBeGreaterThan(3)
    for (let i = 0; i < 4; i++) {
      await first.read(3, 1000)
      await first.removeRead()
    }
    const left = first.records
    await first.close()
    expect(segments().length).toBeLessThan(8)
    const second = await open()
    expect(second.records).toBe(left)
    const drained = await drain(second)
    expect(drained).toHaveLength(left)
    expect(drained.at(-1)).toMatch(/^record 19 /)
    expect(segments()).toEqual([])
    await second.close()
  })

  it('holds a record that was acknowledged while the segment before it was removed, even if the process is killed right then', async () => {
    const copy = `${directory}-copy`
    for (let round = 0; round < 40; round++) {
      const spool = await open()
      await spool.append([record(0, 'removed')])
      await spool.read(10, 1000)
      const removing = spool.removeRead()
      await spool.append([record(0, 'acknowledged')])
      await removing
      // The state that a process would find that starts after this one was killed now.
      cpSync(directory, copy, { recursive: true })
      rmSync(join(copy, 'lock'))
      const next = await openSpool({ directory: copy }, { codec: textCodec, logger: silentLogger })
      expect(await drain(next)).toEqual(['acknowledged'])
      await next.close()
      await drain(spool)
      await spool.close()
      rmSync(copy, { recursive: true })
    }
  })

  it('cuts off a torn last record with a warning and keeps every record before it', async () => {
    const first = await open()
    await first.append([record(0, 'whole'), record(1, 'torn')])
    await first.close()
    const path = join(directory, segments()[0] as string)
    truncateSync(path, statSync(path).size - 2)
    const logger = recordingLogger()
    const second = await open(1024 ** 2, 200, logger)
    expect(second.records).toBe(1)
    expect(await drain(second)).toEqual(['whole'])
    expect(logger.lines).toEqual([
      ['warn a torn record at the end of the spool was cut off', expect.objectContaining({ cutBytes: 11 })],
    ])
    await second.close()
  })

  it.each([
    ['zeros that a crash left behind', Buffer.alloc(4096)],
    ['half a header', Buffer.from([1, 2, 3])],
    ['an impossible length', Buffer.from([255, 255, 255, 255, 1, 2, 3, 4, 5, 6])],
  ])('cuts off %s at the end of a segment', async (_, rubbish) => {
    const first = await open()
    await first.append([record(0, 'whole')])
    await first.close()
    appendFileSync(join(directory, segments()[0] as string), rubbish)
    const second = await open()
    expect(await drain(second)).toEqual(['whole'])
    await second.close()
  })

  it('returns records twice rather than leaving one out when its read position is lost', async () => {
    const first = await open()
    await first.append([record(0, 'a')])
    await first.append([record(0, 'b')])
    await first.read(1, 1000)
    await first.removeRead()
    await first.close()
    writeFileSync(join(directory, 'position'), 'nonsense')
    const second = await open()
    expect(await drain(second)).toEqual(['a', 'b'])
    await second.close()
  })

  it('refuses an append beyond its bound as a whole, and accepts it after records were removed', async () => {
    const spool = await open(400, 200)
    await spool.append([record(0, 'x'.repeat(300))])
    await expect(spool.append([record(0, 'small'), record(0, 'y'.repeat(200))])).rejects.toMatchObject({
      code: 'SPOOL_FULL',
      kind: 'unavailable',
      retryAfterSeconds: 5,
    })
    expect(spool.records).toBe(1)
    await drain(spool)
    await spool.append([record(0, 'y'.repeat(200))])
    expect(await drain(spool)).toEqual(['y'.repeat(200)])
    await spool.close()
  })

  it('stays full after the disk was full until the disk takes a write again, without a caller having to lose a record', async () => {
    let isFull = false
    let creations = 0
    const create = (path: string) => {
      creations++
      return isFull
        ? Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
        : nodeFileSystem.create(path)
    }
    const files = { ...nodeFileSystem, create }
    const spool = await openSpool({ directory }, { codec: textCodec, logger: silentLogger, files })
    isFull = true
    await expect(spool.append([record(0, 'a')])).rejects.toMatchObject({ code: 'SPOOL_FULL' })
    // The write of the record and two probes.
    while (creations < 3) {
      expect(spool.isFull).toBe(true)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    isFull = false
    while (spool.isFull) await new Promise((resolve) => setTimeout(resolve, 20))
    await spool.append([record(0, 'b')])
    expect(await drain(spool)).toEqual(['b'])
    await spool.close()
    expect(readdirSync(directory)).not.toContain('probe')
  })

  it('refuses a second process, and takes over the lock of a process that has ended', async () => {
    const spool = await open()
    await expect(open()).rejects.toMatchObject({ code: 'SPOOL_LOCKED' })
    await spool.close()
    writeFileSync(join(directory, 'lock'), '999999 12345\n')
    const next = await open()
    expect(next.records).toBe(0)
    await next.close()
  })

  it('behaves as a queue through any sequence of appends, removals and restarts', async () => {
    const command = fc.oneof(
      fc.record({
        kind: fc.constant('append' as const),
        records: fc.array(fc.tuple(fc.nat(3), fc.string({ maxLength: 80 })), { minLength: 1, maxLength: 4 }),
      }),
      fc.record({ kind: fc.constant('remove' as const), records: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant('read' as const), records: fc.integer({ min: 1, max: 5 }) }),
      fc.constant({ kind: 'restart' as const }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        rmSync(directory, { recursive: true, force: true })
        let model: string[] = []
        let spool = await open()
        for (const step of commands) {
          if (step.kind === 'append') {
            await spool.append(step.records.map(([key, text]) => record(key, text)))
            model.push(...step.records.map(([, text]) => text))
          } else if (step.kind === 'restart') {
            await spool.close()
            spool = await open()
          } else {
            const read = texts(await spool.read(step.records, 10_000))
            expect(read).toEqual(model.slice(0, read.length))
            expect(read.length > 0).toBe(model.length > 0)
            if (step.kind === 'remove') {
              await spool.removeRead()
              model = model.slice(read.length)
            }
          }
          expect(spool.records).toBe(model.length)
        }
        expect(await drain(spool)).toEqual(model)
        await spool.close()
      }),
      { numRuns: 60 },
    )
  })
})
