import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { checkSpace, diskOf, findFullDisk, formatBytes } from './disk.js'
import { canMountSmallDisk, mountSmallDisk, type SmallDisk } from './small-disk.js'
import { startStack } from './stack.js'
import { removeTemporary } from './temporary.js'
import { createFakeRepository } from './testing/fake-repository.js'

const MB = 1024 ** 2
let disk: SmallDisk | undefined
afterEach(() => disk?.remove())

/** A test on a file system of its own. */
const testOnSmallDisk = canMountSmallDisk('the space of a disk') ? test : test.skip
const mount = (bytes: number): SmallDisk => {
  disk = mountSmallDisk(bytes) as SmallDisk
  return disk
}

describe('the space of a disk', () => {
  testOnSmallDisk('the disk of a directory that does not exist yet is the disk of its parent', () => {
    const { path } = mount(8 * MB)
    const found = diskOf(join(path, 'not', 'there'))
    expect(found.path).toBe(path)
    expect(found.freeBytes).toBeLessThanOrEqual(8 * MB)
    expect(found.freeBytes).toBeGreaterThan(6 * MB)
  })

  testOnSmallDisk('a full disk is an obstacle until it has room again', () => {
    const { path, fill, free } = mount(8 * MB)
    expect(findFullDisk(path, '', MB)).toBeUndefined()
    fill()
    const obstacle = findFullDisk(path, '', MB)
    expect(obstacle?.reason).toBe(`the disk of ${path} is full: 0 MB free, 1 MB needed`)
    expect(obstacle?.isGone()).toBe(false)
    free()
    expect(obstacle?.isGone()).toBe(true)
  })

  test('a server that reports a full disk has an obstacle although space is free, as with a quota', () => {
    const obstacle = findFullDisk('/', 'PANIC:  could not write to file "pg_wal/xlogtemp.7": Disk quota exceeded', 0)
    expect(obstacle?.reason).toMatch(/^the disk of \/ is full: .* free, but a write was refused, perhaps by a quota$/)
    expect(obstacle?.isGone()).toBe(false)
    expect(findFullDisk('/', 'FATAL:  could not find function', 0)).toBeUndefined()
  })

  test('sizes are written in MB and GB', () => {
    expect([0, 67_108_864, 1_207_959_552].map(formatBytes)).toEqual(['0 MB', '67 MB', '1.2 GB'])
  })
})

testOnSmallDisk('a first start states the space that it needs before it creates anything', async () => {
  const { path } = mount(100 * MB)
  const root = createFakeRepository()
  const dataDir = join(path, 'data')
  const start = startStack({ root, dataDir, ports: 'free', say: () => {} })
  await expect(start).rejects.toThrow(
    /^the first start needs 1\.2 GB on the disk of \S+, which has 104 MB free: make room, or set MILLRACE_DATA_DIR to a directory on a larger disk$/,
  )
  expect(existsSync(dataDir)).toBe(false)
  removeTemporary(root)
})

testOnSmallDisk('a later start on a full disk names the disk', () => {
  const { path } = mount(8 * MB)
  expect(() => checkSpace(path, 0)).toThrow(/^a start needs 67 MB on the disk of .*, which has 8 MB free/)
})
