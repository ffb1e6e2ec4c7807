import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { openSpool } from '../src/open-spool.js'
import type { SpoolCodec } from '../src/spool-codec.js'

const writerPath = join(import.meta.dirname, 'spool-writer.mjs')
const codec: SpoolCodec<Buffer> = { encode: (bytes) => [bytes], decode: (bytes) => bytes, keyOf: () => 0 }

describe('the spool of a process that is killed', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-spool-'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  /** The records of one writer are numbered from 1; each must follow the one before it. */
  async function countRecords(): Promise<number> {
    const spool = await openSpool({ directory, bytesMax: 1024 ** 3 }, { codec, logger: silentLogger })
    let previous = 0
    for (const record of await spool.read(1_000_000, 1024 ** 3)) {
      const number = Number(record.toString('latin1', 0, 10))
      expect(number === previous + 1 || number === 1).toBe(true)
      previous = number
    }
    // One read ends with its segment; the spool's own count covers all segments.
    const { records } = spool
    await spool.close()
    return records
  }

  it('holds every record that was acknowledged before SIGKILL, in order and without holes', async () => {
    for (let round = 0; round < 6; round++) {
      const before = round === 0 ? 0 : await countRecords()
      const writer = spawn(process.execPath, [writerPath, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
      let acknowledged = ''
      writer.stdout.on('data', (chunk: Buffer) => (acknowledged += chunk.toString()))
      await new Promise((resolve) => writer.stdout.once('data', resolve))
      await new Promise((resolve) => setTimeout(resolve, 20 + 25 * round))
      writer.kill('SIGKILL')
      await new Promise((resolve) => writer.once('close', resolve))
      const last = Number(acknowledged.trimEnd().split('\n').at(-1))
      expect((await countRecords()) - before).toBeGreaterThanOrEqual(last)
    }
  })

  it('refuses records and loses none when the file system is full', async () => {
    const command = `ulimit -f 64; exec "${process.execPath}" "${writerPath}" "${directory}"`
    const writer = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    writer.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    await new Promise((resolve) => writer.once('close', resolve))
    const lines = output.trimEnd().split('\n')
    expect(lines.at(-1)).toBe('SPOOL_FULL the disk of the spool is full')
    expect(await countRecords()).toBeGreaterThanOrEqual(Number(lines.at(-2)))
  })
})
