import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { ownIdentity } from '@millrace/process-lock'
import { lockDataDirectory } from './stack-lock.js'

const COMPILED = new URL('../dist/stack-lock.js', import.meta.url).href
const ROUNDS = 60

let dataDir: string
let racers: Racer[]
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'millrace-lock-'))
  racers = []
})
afterEach(() => {
  for (const racer of racers) racer.process.kill('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true })
})

interface Racer {
  process: ChildProcess
  /** Tries to lock the directory; resolves with "won" or with the reason why not. */
  lock(directory: string): Promise<string>
  unlock(): Promise<string>
}

/** A process that locks and unlocks directories on request. */
function startRacer(program: string): Racer {
  const script = `
    const { lockDataDirectory } = await import(${JSON.stringify(COMPILED)})
    let unlock
    for await (const line of (await import('node:readline')).createInterface({ input: process.stdin })) {
      try {
        if (line === 'unlock') unlock?.()
        unlock = line === 'unlock' ? undefined : lockDataDirectory(line, ${JSON.stringify(program)})
        console.log('won')
      } catch (error) {
        console.log(error.message)
      }
    }`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ask = async (line: string) => {
    child.stdin.write(`${line}\n`)
    return String((await answers.next()).value)
  }
  const racer = { process: child, lock: ask, unlock: () => ask('unlock') }
  racers.push(racer)
  return racer
}

const { pid: ENDED_PID } = spawnSync('true')

/** What a process leaves behind that was killed while it had the lock. */
function leaveStaleLock(directory: string): void {
  mkdirSync(directory)
  for (const name of ['stack.lock', 'stack.lock.process']) writeFileSync(join(directory, name), `${ENDED_PID} 12345`)
}

// Without the program, a file with the id of the process is the lock.
describe.each([
  ['flock', 'the kernel'],
  ['no-such-program', 'a file'],
])('the lock of a data directory by %s', (program, keeper) => {
  test(`a second lock is refused with the process id of the first, until the first is unlocked (kept by ${keeper})`, () => {
    const unlock = lockDataDirectory(dataDir, program)
    expect(() => lockDataDirectory(dataDir, program)).toThrow(
      new RegExp(`^a stack already runs on .*process ${process.pid}.*MILLRACE_DATA_DIR`),
    )
    unlock()
    const next = lockDataDirectory(dataDir, program)
    // A second call has no effect on the next holder.
    unlock()
    expect(() => lockDataDirectory(dataDir, program)).toThrow(/already runs/)
    next()
  })

  test(`of three starts at the same time after a stale lock exactly one wins, in each of ${ROUNDS} rounds (kept by ${keeper})`, async () => {
    const all = [1, 2, 3].map(() => startRacer(program))
    for (let round = 0; round < ROUNDS; round++) {
      const directory = join(dataDir, String(round))
      leaveStaleLock(directory)
      const outcomes = await Promise.all(all.map((racer) => racer.lock(directory)))
      expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(1)
      for (const outcome of outcomes) expect(outcome).toMatch(/^(won|a stack already runs on )/)
      await Promise.all(all.map((racer) => racer.unlock()))
      expect(readdirSync(directory).filter((name) => !name.startsWith('stack.lock'))).toEqual([])
    }
  })

  test(`the lock of a process is free as soon as it was killed (kept by ${keeper})`, async () => {
    const racer = startRacer(program)
    expect(await racer.lock(dataDir)).toBe('won')
    expect(() => lockDataDirectory(dataDir, program)).toThrow(`process ${racer.process.pid}`)
    racer.process.kill('SIGKILL')
    await once(racer.process, 'exit')
    lockDataDirectory(dataDir, program)()
  })

  test(`a data directory that does not exist is created (kept by ${keeper})`, () => {
    dataDir = join(dataDir, 'new', 'directory')
    lockDataDirectory(dataDir, program)()
    expect(existsSync(dataDir)).toBe(true)
  })
})

test('the lock is taken over when its process id now belongs to another process', () => {
  writeFileSync(join(dataDir, 'stack.lock.process'), `${process.pid} started at another time`)
  lockDataDirectory(dataDir, 'no-such-program')()
  writeFileSync(join(dataDir, 'stack.lock.process'), ownIdentity())
  expect(() => lockDataDirectory(dataDir, 'no-such-program')).toThrow(/already runs/)
})
