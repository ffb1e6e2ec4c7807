import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from '@jest/globals'
import { reapOrphans } from './orphans.js'
import { isAlive, signal } from './process-table.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import { waitFor } from './wait.js'

test('the next start removes the servers and directories of a process that was killed', async () => {
  const here = fileURLToPath(new URL('..', import.meta.url))
  const home = temporaryDirectory('millrace-orphans-')
  const script = join(home, 'start.mjs')
  const facts = join(home, 'facts')
  const library = join(here, 'dist/index.js')
  writeFileSync(
    script,
    `import { writeFileSync } from 'node:fs'
     const { startRedis } = await import(${JSON.stringify(library)})
     const { pid, dir } = await startRedis()
     writeFileSync(${JSON.stringify(facts)}, JSON.stringify({ pid, dir }))
     setInterval(() => {}, 1000)`,
  )
  const starter = spawn(process.execPath, [script], { stdio: 'inherit' })
  await waitFor(() => existsSync(facts) && readFileSync(facts, 'utf8'))
  const { pid, dir } = JSON.parse(readFileSync(facts, 'utf8')) as { pid: number; dir: string }
  signal(starter.pid as number, 'SIGKILL')
  await waitFor(() => !isAlive(starter.pid as number))
  expect(isAlive(pid)).toBe(true)
  expect(reapOrphans()).toEqual(expect.arrayContaining([`process ${pid}`, `directory ${dir}`]))
  await waitFor(() => !isAlive(pid))
  expect(existsSync(dir)).toBe(false)
  removeTemporary(home)
})
