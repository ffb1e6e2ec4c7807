import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { HOUR_MS, MINUTE_MS } from '@millrace/contracts'
import { BEGINNING, type StoredFrame, type StreamDriver, type StreamReader } from '../driver/stream-driver.js'

export interface DriverFixture {
  readonly driver: StreamDriver
  /** Name of an empty stream. Default 'conformance'. */
  readonly stream?: string
  /** Stops the server; `bringUp` starts it again with the same frames. */
  takeDown(): Promise<void>
  bringUp(): Promise<void>
  release(): Promise<void>
}

const PARTITIONS = 4
const LIMITS = { framesMax: 100, bytesMax: 1024 * 1024, blockMs: 20_000 }

/** The test suite for drivers. `open` returns a driver with an empty stream. */
export function describeDriver(name: string, open: () => Promise<DriverFixture>): void {
  describe(`the ${name} driver`, () => {
    let fixture: DriverFixture
    let driver: StreamDriver
    let stream: string
    let readers: StreamReader[] = []

    beforeEach(async () => {
      fixture = await open()
      driver = fixture.driver
      stream = fixture.stream ?? 'conformance'
      await driver.prepare(stream, PARTITIONS)
    })
    afterEach(async () => {
      for (const reader of readers) await reader.close()
      readers = []
      await driver.close()
      await fixture.release()
    })

    const append = async (partition: number, ...texts: string[]) => {
      const positions: string[] = []
      for (const text of texts) {
        const [result] = await driver.append(stream, [{ partition, frame: Buffer.from(text) }])
        if (result?.kind !== 'held') throw new Error(`not held: ${JSON.stringify(result)}`)
        positions.push(result.position)
      }
      return positions
    }
    const reading = async (...seeks: [partition: number, after: string][]) => {
      const reader = await driver.openReader(stream)
      readers.push(reader)
      for (const [partition, after] of seeks) reader.seek(partition, after)
      return reader
    }
    const describeOne = async (partition: number) => {
      const [description] = await driver.describe(stream, [partition])
      return description as NonNullable<typeof description>
    }

    it('returns every frame that it reported as held, with its bytes, partition and append time', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
      const before = Date.now()
      const results = await driver.append(stream, [{ partition: 1, frame: bytes }])
      const [frame] = await (await reading([1, BEGINNING])).read(LIMITS)
      expect(results).toEqual([{ kind: 'held', position: frame?.position }])
      expect(frame).toMatchObject({ partition: 1, bytes })
      expect(Math.abs((frame?.appendedAtMs ?? 0) - before)).toBeLessThan(MINUTE_MS)
    })

    it('appends to many partitions in one call and returns the results in the given order', async () => {
      const frames = [3, 0, 2].map((partition) => ({ partition, frame: Buffer.from(`for ${partition}`) }))
      const results = await driver.append(stream, frames)
      expect(results.map(({ kind }) => kind)).toEqual(['held', 'held', 'held'])
      const read = await readAll(await reading([0, BEGINNING], [2, BEGINNING], [3, BEGINNING]), 3)
      expect(texts(read).sort()).toEqual(['for 0', 'for 2', 'for 3'])
    })

    it('reads the frames of a partition in the order of their appends, with growing positions', async () => {
      const wanted = Array.from({ length: 50 }, (_, index) => `frame ${index}`)
      await append(0, ...wanted)
      const read = await readAll(await reading([0, BEGINNING]), 50)
      expect(texts(read)).toEqual(wanted)
      for (let i = 1; i < read.length; i++) {
        expect(
          driver.comparePositions((read[i - 1] as StoredFrame).position, (read[i] as StoredFrame).position),
        ).toBeLessThan(0)
      }
    })

    it('orders positions totally, with BEGINNING before all others', async () => {
      const [a, b] = (await append(0, 'a', 'b')) as [string, string]
      expect(driver.comparePositions(a, a)).toBe(0)
      expect(driver.comparePositions(BEGINNING, BEGINNING)).toBe(0)
      expect(driver.comparePositions(BEGINNING, a)).toBeLessThan(0)
      expect(driver.comparePositions(b, a)).toBeGreaterThan(0)
      expect(driver.comparePositions(driver.safeStart(b), b)).toBeLessThanOrEqual(0)
    })

    it('continues after a stored position in another reader', async () => {
      const [, second] = await append(2, 'a', 'b', 'c')
      expect(texts(await (await reading([2, second as string])).read(LIMITS))).toEqual(['c'])
    })

    it('returns a frame that is appended while a read is waiting', async () => {
      const reader = await reading([0, BEGINNING], [1, BEGINNING])
      const read = reader.read(LIMITS)
      await append(1, 'late')
      expect(texts(await read)).toEqual(['late'])
    })

    it('returns no frames after the wait when none arrive, and at once when it may not wait', async () => {
      const reader = await reading([0, BEGINNING])
      expect(await reader.read({ ...LIMITS, blockMs: 0 })).toEqual([])
      expect(await reader.read({ ...LIMITS, blockMs: 20 })).toEqual([])
    })

    it('returns each frame once and in order, while reads that wait and reads that do not alternate', async () => {
      const reader = await reading([0, BEGINNING])
      const read: StoredFrame[] = []
      const wanted = Array.from({ length: 20 }, (_, index) => `frame ${index}`)
      for (const text of wanted) {
        read.push(...(await reader.read({ ...LIMITS, blockMs: 5 })))
        await append(0, text)
        read.push(...(await reader.read({ ...LIMITS, blockMs: 0 })))
        expect(read.at(-1)?.bytes.toString()).toBe(text)
      }
      read.push(...(await reader.read({ ...LIMITS, blockMs: 600 })))
      expect(texts(read)).toEqual(wanted)
    })

    it('ends a waiting read when the reader is woken', async () => {
      const reader = await reading([0, BEGINNING])
      const read = reader.read({ ...LIMITS, blockMs: 50_000 })
      reader.wake()
      expect(await read).toEqual([])
    })

    it('adds and removes partitions during a read', async () => {
      await append(1, 'one')
      const reader = await reading([0, BEGINNING])
      const read = reader.read({ ...LIMITS, blockMs: 50_000 })
      reader.seek(1, BEGINNING)
      const frames = await read
      expect(texts(frames.length > 0 ? frames : await readAll(reader, 1))).toEqual(['one'])
      reader.remove(1)
      await append(1, 'two')
      await append(0, 'zero')
      expect(texts(await readAll(reader, 1))).toEqual(['zero'])
      expect(await reader.read({ ...LIMITS, blockMs: 0 })).toEqual([])
    })

    it('reads frames again after a seek to an earlier position', async () => {
      await append(0, 'a', 'b')
      const reader = await reading([0, BEGINNING])
      await readAll(reader, 2)
      reader.seek(0, BEGINNING)
      expect(texts(await readAll(reader, 2))).toEqual(['a', 'b'])
    })

    it('reads every partition, even if one of them always has frames', async () => {
      await append(0, ...Array.from({ length: 30 }, () => 'busy'))
      await append(1, 'quiet')
      const reader = await reading([0, BEGINNING], [1, BEGINNING])
      let read: string[] = []
      for (let reads = 0; reads < 100 && !read.includes('quiet'); reads++) {
        await append(0, ...read)
        read = texts(await reader.read({ ...LIMITS, framesMax: 4 }))
      }
      expect(read).toContain('quiet')
    })

    it('describes an empty partition and one with frames', async () => {
      expect(await describeOne(3)).toEqual({
        partition: 3,
        first: BEGINNING,
        last: BEGINNING,
        frames: 0,
        framesEver: 0,
      })
      const [first, , last] = await append(3, 'a', 'b', 'c')
      expect(await describeOne(3)).toEqual({ partition: 3, first, last, frames: 3, framesEver: 3 })
    })

    it('returns the newest frames of a partition, newest first', async () => {
      await append(0, 'a', 'b', 'c')
      expect(texts(await driver.tail(stream, 0, 2))).toEqual(['c', 'b'])
      expect(await driver.tail(stream, 1, 2)).toEqual([])
    })

    it('finds the position before all frames that were appended since a time', async () => {
      await append(0, 'a', 'b')
      const early = await driver.positionAt(stream, 0, Date.now() - HOUR_MS)
      const late = await driver.positionAt(stream, 0, Date.now() + HOUR_MS)
      expect(texts(await (await reading([0, early])).read(LIMITS))).toEqual(['a', 'b'])
      expect(await (await reading([0, late])).read({ ...LIMITS, blockMs: 0 })).toEqual([])
    })

    it('trims at most the given number of frames, and none at or after the given position', async () => {
      const positions = await append(0, ...Array.from({ length: 100 }, (_, index) => String(index)))
      expect(await driver.trim(stream, 0, { before: BEGINNING })).toBe(0)
      expect(await driver.trim(stream, 0, { before: positions[70] as string, framesMax: 40 })).toBe(40)
      expect(await describeOne(0)).toMatchObject({
        first: positions[40],
        last: positions[99],
        frames: 60,
        framesEver: 100,
      })
      expect(await driver.trim(stream, 0, { before: positions[70] as string, framesMax: 40 })).toBe(30)
      expect((await describeOne(0)).first).toBe(positions[70])
      await driver.trim(stream, 0, { before: positions[90] as string })
      const left = await readAll(await reading([0, BEGINNING]), 10)
      expect(texts(left).slice(-10)).toEqual(Array.from({ length: 10 }, (_, index) => String(90 + index)))
    })

    it('trims nothing when the newest frame is not the one that the caller names', async () => {
      const [first, second, third] = (await append(0, 'a', 'b', 'c')) as [string, string, string]
      expect(await driver.trim(stream, 0, { before: second, newest: second })).toBe(0)
      expect(await driver.trim(stream, 1, { before: first, newest: first })).toBe(0)
      expect(await driver.trim(stream, 0, { before: third, newest: third, framesMax: 1 })).toBe(1)
      expect(await driver.trim(stream, 0, { before: third, newest: third })).toBe(1)
      expect(await describeOne(0)).toMatchObject({ first: third, last: third, frames: 1, framesEver: 3 })
    })

    it('remembers the highest position when its frames are trimmed', async () => {
      const [, , , , , sixth] = await append(0, 'a', 'b', 'c', 'd', 'e', 'f')
      await driver.trim(stream, 0, { before: sixth as string, framesMax: 5 })
      expect(await describeOne(0)).toMatchObject({ last: sixth, frames: 1, framesEver: 6 })
    })

    it('accepts group positions for the stream’s own tools repeatedly', async () => {
      const [first, second] = (await append(0, 'a', 'b')) as [string, string]
      await driver.mirrorGroup(stream, 'readers', [
        { partition: 0, position: BEGINNING, framesRead: 0 },
        { partition: 1, position: BEGINNING, framesRead: 0 },
      ])
      await driver.mirrorGroup(stream, 'readers', [{ partition: 0, position: first, framesRead: 1 }])
      const again = driver.mirrorGroup(stream, 'readers', [{ partition: 0, position: second, framesRead: 2 }])
      await expect(again).resolves.toBeUndefined()
    })

    it('reports how much memory the stream uses', async () => {
      await append(0, 'x'.repeat(1000))
      expect((await driver.memory()).usedBytes).toBeGreaterThanOrEqual(1000)
    })

    it('gives two readers of the same partition all of its frames each', async () => {
      await append(0, 'a', 'b')
      const [one, two] = [await reading([0, BEGINNING]), await reading([0, BEGINNING])]
      expect(texts(await readAll(one, 2))).toEqual(['a', 'b'])
      expect(texts(await readAll(two, 2))).toEqual(['a', 'b'])
    })

    // The last one: a cluster may need some time until it is whole again.
    it('reports STREAM_UNAVAILABLE while the server is down, and continues with the same frames afterwards', async () => {
      await append(0, 'before')
      const reader = await reading([0, BEGINNING])
      await readAll(reader, 1)
      await fixture.takeDown()
      const [result] = await driver.append(stream, [{ partition: 0, frame: Buffer.from('lost') }])
      expect(result?.kind).toBe('unavailable')
      await expect(driver.describe(stream, [0])).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' })
      await expect(reader.read(LIMITS)).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' })
      await fixture.bringUp()
      await until(
        async () => (await driver.append(stream, [{ partition: 0, frame: Buffer.from('after') }]))[0]?.kind === 'held',
      )
      const seen = new Set<string>()
      await until(async () => {
        for (const text of texts(await reader.read({ ...LIMITS, blockMs: 50 }).catch(() => []))) seen.add(text)
        return seen.has('after')
      })
      expect(seen.has('before')).toBe(false)
    })
  })
}

function texts(frames: readonly StoredFrame[]): string[] {
  return frames.map(({ bytes }) => bytes.toString())
}

async function readAll(reader: StreamReader, frames: number): Promise<StoredFrame[]> {
  const read: StoredFrame[] = []
  await until(async () => {
    read.push(...(await reader.read(LIMITS)))
    return read.length >= frames
  })
  return read
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + MINUTE_MS
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error('the condition was not met in 60 s')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
