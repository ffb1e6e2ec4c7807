import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

const COMPILED = fileURLToPath(new URL('../dist/lifecycle/return-memory.js', import.meta.url))

/** Fills the young generation with objects that survive, becomes idle, and waits until V8 has given the memory back or 60 s are over. */
const PROGRAM = `
  import { setTimeout as delay } from 'node:timers/promises'
  import { createReturnMemory, processMemory } from ${JSON.stringify(COMPILED)}
  const memory = processMemory()
  const kept = []
  for (let i = 0; i < 400_000; i++) kept.push({ i, text: 'event ' + i })
  const before = { young: memory.youngBytes(), rss: process.memoryUsage.rss() }
  kept.length = 0
  const returnMemory = createReturnMemory(memory)
  const isLarge = () => memory.youngBytes() > 8 * 1024 * 1024
  for (let i = 0; i < 120 && isLarge(); i++) {
    await delay(500)
    returnMemory()
  }
  const isReturned = () => process.memoryUsage.rss() < before.rss - before.young / 2
  for (let i = 0; i < 120 && !isReturned(); i++) await delay(500)
  console.log(JSON.stringify({ wasLarge: before.young > 16 * 1024 * 1024, isLarge: isLarge(), isReturned: isReturned() }))
`

describe('an idle process', () => {
  it('gives the memory of its young generation back to the operating system', () => {
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', PROGRAM], { encoding: 'utf8' })
    expect(JSON.parse(output)).toEqual({ wasLarge: true, isLarge: false, isReturned: true })
  })
})
