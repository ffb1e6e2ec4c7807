import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'

const COMPILED = new URL('../dist/directory-lock.js', import.meta.url).href
const ROUNDS = 60

let parent: string
let racers: ChildProcess[]
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'millrace-spool-lock-'))
  racers = []
})
afterEach(() => {
  for (const racer of racers) racer.kill('SIGKILL')
  rmSync(parent, { recursive: true })
})

/** A process that locks the directory of each line that it gets; an empty line unlocks. It answers `won`, or with a code. */
function startRacer(): (line: string) => Promise<string> {
  const script = `
    const { lockDirectory } = await import(${JSON.stringify(COMPILED)})
    let unlock
    for await (const line of (await import('node:readline')).createInterface({ input: process.stdin })) {
      if (line === '') await unlock?.()
      unlock = line === '' ? undefined : await lockDirectory(line).catch((error) => void console.log(error.code))
      if (line === '' || unlock) console.log('won')
    }`
  const racer = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  racers.push(racer)
  const answers = createInterface({ input: racer.stdout })[Symbol.asyncIterator]()
  return async (line) => {
    racer.stdin.write(`${line}\n`)
    return String((await answers.next()).value)
  }
}

describe('the lock of a spool directory', () => {
  it(`is taken over from a process that was killed by exactly one of three processes at the same time, in each of ${ROUNDS} rounds`, async () => {
    const all = [startRacer(), startRacer(), startRacer()]
    for (let round = 0; round < ROUNDS; round++) {
      const directory = join(parent, String(round))
      mkdirSync(directory)
      const { pid } = spawnSync(process.execPath, ['-e', ''])
      writeFileSync(join(directory, 'lock'), `${pid} 12345`)
      const outcomes = await Promise.all(all.map((ask) => ask(directory)))
      expect([...outcomes].sort()).toEqual(['SPOOL_LOCKED', 'SPOOL_LOCKED', 'won'])
      await Promise.all(all.map((ask) => ask('')))
      expect(readdirSync(directory)).toEqual([])
    }
  })
})
