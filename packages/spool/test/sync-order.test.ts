import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import type { SpoolFile, SpoolFileSystem } from '../src/file-system.js'
import { nodeFileSystem } from '../src/node-file-system.js'
import { openSpool } from '../src/open-spool.js'
import { textCodec } from './text-codec.js'

/** The real file system; notes every operation that changes the disk, once it is complete. */
function recordingFileSystem(notes: string[]): SpoolFileSystem {
  const noted = async <T>(note: string, work: Promise<T>): Promise<T> => {
    const result = await work
    notes.push(note)
    return result
  }
  const wrap = (name: string, file: SpoolFile): SpoolFile => ({
    size: () => file.size(),
    read: (offset, bytes) => file.read(offset, bytes),
    write: (buffers, offset) => noted(`write ${name}`, file.write(buffers, offset)),
    truncate: (bytes) => noted(`truncate ${name}`, file.truncate(bytes)),
    datasync: () => noted(`sync ${name}`, file.datasync()),
    close: () => file.close(),
  })
  return {
    ...nodeFileSystem,
    create: async (path) => wrap(basename(path), await noted(`create ${basename(path)}`, nodeFileSystem.create(path))),
    open: async (path) => wrap(basename(path), await nodeFileSystem.open(path)),
    remove: (path) => noted(`remove ${basename(path)}`, nodeFileSystem.remove(path)),
    rename: (from, to) => noted(`rename ${basename(from)} to ${basename(to)}`, nodeFileSystem.rename(from, to)),
    syncDirectory: (path) => noted(`sync directory ${basename(path)}`, nodeFileSystem.syncDirectory(path)),
  }
}

describe('the spool', () => {
  let parent: string
  let notes: string[]
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'millrace-spool-'))
    notes = []
  })
  afterEach(() => rmSync(parent, { recursive: true, force: true }))

  const open = (segmentBytes: number) =>
    openSpool(
      { directory: join(parent, 'deep', 'spool'), segmentBytes },
      { codec: textCodec, logger: silentLogger, files: recordingFileSystem(notes) },
    )

  it('syncs the parents of a directory that it has created', async () => {
    const spool = await open(1000)
    expect(notes).toEqual(['sync directory deep', `sync directory ${basename(parent)}`])
    await spool.close()
    notes.length = 0
    await (await open(1000)).close()
    expect(notes.filter((note) => note.startsWith('sync directory'))).toEqual([])
  })

  it('syncs the directory after it has created a segment, and the data of an append before it resolves', async () => {
    const spool = await open(1000)
    notes.length = 0
    await spool.append([{ key: 0, text: 'first' }]).then(() => notes.push('acknowledged'))
    await spool.append([{ key: 0, text: 'second' }]).then(() => notes.push('acknowledged'))
    const append = ['write 0000000001.spool', 'sync 0000000001.spool', 'acknowledged']
    expect(notes).toEqual(['create 0000000001.spool', 'sync directory spool', ...append, ...append])
    await spool.close()
  })

  it('syncs the directory after it has removed a segment', async () => {
    const spool = await open(10)
    await spool.append([{ key: 0, text: 'longer than a segment' }])
    await spool.append([{ key: 0, text: 'longer than a segment' }])
    notes.length = 0
    await spool.read(10, 1000)
    await spool.removeRead()
    expect(notes.slice(0, 2)).toEqual(['remove 0000000001.spool', 'sync directory spool'])
    await spool.close()
  })

  it('syncs the directory after it has put a damaged segment aside', async () => {
    const spool = await open(1000)
    await spool.append([{ key: 0, text: 'damaged' }])
    const file = await nodeFileSystem.open(join(parent, 'deep', 'spool', '0000000001.spool'))
    await file.write([Buffer.from('x')], 12)
    await file.close()
    notes.length = 0
    expect(await spool.read(10, 1000)).toEqual([])
    expect(notes).toEqual(['rename 0000000001.spool to 0000000001.spool.damaged', 'sync directory spool'])
    await spool.close()
  })
})
