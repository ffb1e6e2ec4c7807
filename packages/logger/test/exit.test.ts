import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

const folder = fileURLToPath(new URL('..', import.meta.url))

/** Runs a program that logs 1,000 lines into a pipe and then executes `ending`. Returns its lines. */
function runProgram(ending: string): string[] {
  const program = `
    import { createLogger } from './dist/index.js'
    const logger = createLogger({ service: 'exit', flushLines: 100_000, flushMs: 60_000, samplePerSecond: 0 })
    for (let i = 0; i < 1000; i++) logger.info('line', { i, filler: 'x'.repeat(200) })
    ${ending}`
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    cwd: folder,
    encoding: 'utf8',
    env: {},
  })
  return result.stdout.split('\n').filter((line) => line.includes('"line"'))
}

describe('the logger of a process that ends', () => {
  it.each([
    ['by running out of work', ''],
    ['by process.exit', 'process.exit(3)'],
    ['by an uncaught error', `throw new Error('uncaught')`],
    ['by an unhandled rejection', `Promise.reject(new Error('unhandled'))`],
  ])('writes every line when the process ends %s', (_how, ending) => {
    const lines = runProgram(ending)
    expect(lines).toHaveLength(1000)
    expect(JSON.parse(lines.at(-1) as string)).toMatchObject({ i: 999 })
  })
})
