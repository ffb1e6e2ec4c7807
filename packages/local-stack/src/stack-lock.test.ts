import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { processIdentity } from './process-table.js'
import { lockDataDirectory } from './stack-lock.js'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'millrace-lock-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

const lockFile = () => join(dataDir, 'stack.lock')

describe('the lock of a data directory', () => {
  test('a second lock is refused with the process id of the first, until the first is unlocked', () => {
    const unlock = lockDataDirectory(dataDir)
    expect(() => lockDataDirectory(dataDir)).toThrow(new RegExp(`already runs on .*process ${process.pid}`))
    unlock()
    expect(existsSync(lockFile())).toBe(false)
    lockDataDirectory(dataDir)()
  })

  test('the lock of a process that has ended is taken over', () => {
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    writeFileSync(lockFile(), `${pid} 12345`)
    const unlock = lockDataDirectory(dataDir)
    expect(readFileSync(lockFile(), 'utf8')).toBe(`${process.pid} ${processIdentity(process.pid)}`)
    unlock()
  })

  test('the lock is taken over when its process id now belongs to another process', () => {
    writeFileSync(lockFile(), `${process.pid} started at another time`)
    const unlock = lockDataDirectory(dataDir)
    expect(readFileSync(lockFile(), 'utf8')).toBe(`${process.pid} ${processIdentity(process.pid)}`)
    unlock()
  })

  test('the lock of another running process is refused and left alone', () => {
    const text = `${process.ppid} ${processIdentity(process.ppid)}`
    writeFileSync(lockFile(), text)
    expect(() => lockDataDirectory(dataDir)).toThrow(/already runs/)
    expect(readFileSync(lockFile(), 'utf8')).toBe(text)
  })

  test('a data directory that does not exist is created', () => {
    dataDir = join(dataDir, 'new', 'directory')
    lockDataDirectory(dataDir)()
    expect(existsSync(dataDir)).toBe(true)
  })
})
