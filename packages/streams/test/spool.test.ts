import { spawn } from 'node:child_process'
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
import { Spool } from '../src/spool/spool.js'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-spool-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const frame = (partition: number, text: string) => ({ partition, frame: Buffer.from(text) })
const open = (bytesMax = 1024 ** 2, segmentBytes = 200, logger = silentLogger) =>
  Spool.open({ directory, bytesMax, segmentBytes }, { logger })
const segments = () => readdirSync(directory).filter((name) => name.endsWith('.spool'))
const texts = (frames: readonly { frame: Buffer }[]) => frames.map((one) => one.frame.toString())

async function drain(spool: Spool, framesMax = 3): Promise<string[]> {
  const drained: string[] = []
  for (;;) {
    const frames = await spool.read(framesMax, 1000)
    if (frames.length === 0) return drained
    drained.push(...texts(frames))
    await spool.drained()
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
  it('gives frames back in the order they came, with their partitions', async () => {
    const spool = await open()
    await spool.append([frame(1, 'a'), frame(2, 'b')])
    await spool.append([frame(1, 'c')])
    expect([spool.frames, spool.framesOf(1), spool.framesOf(2), spool.framesOf(3)]).toEqual([3, 2, 1, 0])
    expect(await spool.read(10, 1000)).toEqual([frame(1, 'a'), frame(2, 'b'), frame(1, 'c')])
    await spool.drained()
    expect([spool.frames, spool.bytes, segments()]).toEqual([0, 0, []])
    await spool.close()
  })

  it('gives the same frames again until they are said to be drained', async () => {
    const spool = await open()
    await spool.append([frame(0, 'a'), frame(0, 'b')])
    expect(texts(await spool.read(1, 1000))).toEqual(['a'])
    expect(texts(await spool.read(1, 1000))).toEqual(['a'])
    await spool.drained()
    expect(texts(await spool.read(1, 1000))).toEqual(['b'])
    await spool.close()
  })

  it('gives a frame that is larger than a read asks for', async () => {
    const spool = await open()
    const large = 'x'.repeat(50_000)
    await spool.append([frame(0, large)])
    expect(texts(await spool.read(1, 10))).toEqual([large])
    await spool.close()
  })

  it('goes on in the next life where the last one had drained to, and deletes drained segments', async () => {
    const first = await open()
    for (let i = 0; i < 20; i++) await first.append([frame(0, `frame ${i} ${'-'.repeat(50)}`)])
    expect(segments().length).toBeGreaterThan(3)
    for (let i = 0; i < 4; i++) {
      await first.read(3, 1000)
      await first.drained()
    }
    await first.close()
    const left = segments().length
    const second = await open()
    expect(second.frames).toBeLessThan(20)
    expect((await drain(second)).at(-1)).toMatch(/^frame 19 /)
    expect(left).toBeLessThan(8)
    expect(segments()).toEqual([])
    await second.close()
  })

  it('holds what was acknowledged while the last segment before it was removed, whenever the process ends', async () => {
    const copy = `${directory}-copy`
    for (let round = 0; round < 40; round++) {
      const spool = await open()
      await spool.append([frame(0, 'drained')])
      await spool.read(10, 1000)
      const draining = spool.drained()
      await spool.append([frame(0, 'acknowledged')])
      await draining
      // What a process finds that starts after this one was killed now.
      cpSync(directory, copy, { recursive: true })
      rmSync(join(copy, 'lock'))
      const heir = await Spool.open({ directory: copy }, { logger: silentLogger })
      expect(await drain(heir)).toEqual(['acknowledged'])
      await heir.close()
      await drain(spool)
      await spool.close()
      rmSync(copy, { recursive: true })
    }
  })

  it('cuts off a torn last record with a warning and keeps everything before it', async () => {
    const first = await open()
    await first.append([frame(0, 'whole'), frame(1, 'torn')])
    await first.close()
    const path = join(directory, segments()[0] as string)
    truncateSync(path, statSync(path).size - 2)
    const logger = recordingLogger()
    const second = await open(1024 ** 2, 200, logger)
    expect(second.frames).toBe(1)
    expect(await drain(second)).toEqual(['whole'])
    expect(logger.lines).toEqual([
      ['warn a torn record at the end of the spool was cut off', expect.objectContaining({ cutBytes: 12 })],
    ])
    await second.close()
  })

  it.each([
    ['zeros that a crash left behind', Buffer.alloc(4096)],
    ['half a header', Buffer.from([1, 2, 3])],
    ['a length beyond all reason', Buffer.from([255, 255, 255, 255, 1, 2, 3, 4, 5, 6])],
  ])('cuts off %s', async (_, rubbish) => {
    const first = await open()
    await first.append([frame(0, 'whole')])
    await first.close()
    appendFileSync(join(directory, segments()[0] as string), rubbish)
    const second = await open()
    expect(await drain(second)).toEqual(['whole'])
    await second.close()
  })

  it('survives a read position that is lost or nonsense: frames come twice, none is left out', async () => {
    const first = await open()
    await first.append([frame(0, 'a')])
    await first.append([frame(0, 'b')])
    await first.read(1, 1000)
    await first.drained()
    await first.close()
    writeFileSync(join(directory, 'position'), 'nonsense')
    const second = await open()
    expect(await drain(second)).toEqual(['a', 'b'])
    await second.close()
  })

  it('refuses what is beyond its bound whole, and takes it again when it was drained', async () => {
    const spool = await open(400, 200)
    await spool.append([frame(0, 'x'.repeat(300))])
    await expect(spool.append([frame(0, 'small'), frame(0, 'y'.repeat(200))])).rejects.toMatchObject({
      code: 'STREAM_SPOOL_FULL',
      kind: 'unavailable',
      retryAfterSeconds: 5,
    })
    expect(spool.frames).toBe(1)
    await drain(spool)
    await spool.append([frame(0, 'y'.repeat(200))])
    expect(await drain(spool)).toEqual(['y'.repeat(200)])
    await spool.close()
  })

  it('lets no second user into its directory, and takes over the lock of a process that is gone', async () => {
    const spool = await open()
    await expect(open()).rejects.toMatchObject({ code: 'SPOOL_LOCKED' })
    await spool.close()
    writeFileSync(join(directory, 'lock'), '999999 12345\n')
    await (await open()).close()
  })

  it('behaves as a queue through any sequence of appends, drains and restarts', async () => {
    const command = fc.oneof(
      fc.record({
        kind: fc.constant('append' as const),
        frames: fc.array(fc.tuple(fc.nat(3), fc.string({ maxLength: 80 })), { minLength: 1, maxLength: 4 }),
      }),
      fc.record({ kind: fc.constant('drain' as const), frames: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant('peek' as const), frames: fc.integer({ min: 1, max: 5 }) }),
      fc.constant({ kind: 'restart' as const }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        rmSync(directory, { recursive: true, force: true })
        let model: string[] = []
        let spool = await open()
        for (const step of commands) {
          if (step.kind === 'append') {
            await spool.append(step.frames.map(([partition, text]) => frame(partition, text)))
            model.push(...step.frames.map(([, text]) => text))
          } else if (step.kind === 'restart') {
            await spool.close()
            spool = await open()
          } else {
            const read = texts(await spool.read(step.frames, 10_000))
            expect(read).toEqual(model.slice(0, read.length))
            expect(read.length > 0).toBe(model.length > 0)
            if (step.kind === 'drain') {
              await spool.drained()
              model = model.slice(read.length)
            }
          }
          expect(spool.frames).toBe(model.length)
        }
        expect(await drain(spool)).toEqual(model)
        await spool.close()
      }),
      { numRuns: 60 },
    )
  })
})

describe('the spool of a process that is killed', () => {
  const child = (...args: string[]) =>
    spawn(process.execPath, [join(import.meta.dirname, 'spool-writer.mjs'), directory, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })

  it('holds every frame that was acknowledged before SIGKILL, in order and without holes', async () => {
    for (let round = 0; round < 6; round++) {
      const before = round === 0 ? 0 : await countFrames()
      const writer = child()
      let acknowledged = ''
      writer.stdout.on('data', (chunk: Buffer) => (acknowledged += chunk.toString()))
      await new Promise((resolve) => writer.stdout.once('data', resolve))
      await new Promise((resolve) => setTimeout(resolve, 20 + 25 * round))
      writer.kill('SIGKILL')
      await new Promise((resolve) => writer.once('close', resolve))
      const last = Number(acknowledged.trimEnd().split('\n').at(-1))
      expect((await countFrames()) - before).toBeGreaterThanOrEqual(last)
    }
  })

  it('refuses, and loses nothing, when the file system takes no more', async () => {
    const writer = spawn(
      'sh',
      [
        '-c',
        `ulimit -f 64; exec "${process.execPath}" "${join(import.meta.dirname, 'spool-writer.mjs')}" "${directory}" until-full`,
      ],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    let output = ''
    writer.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    await new Promise((resolve) => writer.once('close', resolve))
    const lines = output.trimEnd().split('\n')
    expect(lines.at(-1)).toBe('STREAM_SPOOL_FULL the disk of the spool is full')
    expect(await countFrames()).toBeGreaterThanOrEqual(Number(lines.at(-2)))
  })

  /** Frames of one writer are numbered from 1; each must follow the one before it. */
  async function countFrames(): Promise<number> {
    const spool = await Spool.open({ directory, bytesMax: 1024 ** 3 }, { logger: silentLogger })
    const frames = await spool.read(1_000_000, 1024 ** 3)
    let previous = 0
    for (const { frame } of frames) {
      const number = Number(frame.toString('latin1', 0, 10))
      expect(number === previous + 1 || number === 1).toBe(true)
      previous = number
    }
    // One read ends with its segment; the spool's own count is of all.
    const { frames: total } = spool
    await spool.close()
    return total
  }
})
