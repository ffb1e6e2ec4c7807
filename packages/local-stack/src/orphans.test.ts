import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { isAlive, processIdentity } from '@millrace/process-lock'
import { reapOrphans } from './orphans.js'
import { signal } from './process-table.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import { killWatcher } from './testing/kill-watcher.js'
import { waitFor } from './wait.js'

interface Owner {
  pid: number
  /** Of its Redis. */
  child: number
  dir: string
  end(name: NodeJS.Signals): Promise<void>
}

let home: string
beforeEach(() => {
  home = temporaryDirectory('millrace-orphans-')
})
afterEach(() => removeTemporary(home))

/** A process that starts a Redis: with temporary data, or with data below `dir`. */
async function startOwner(dir?: string): Promise<Owner> {
  const script = join(home, 'start.mjs')
  const facts = join(home, 'facts')
  const library = fileURLToPath(new URL('../dist/index.js', import.meta.url))
  writeFileSync(
    script,
    `import { writeFileSync } from 'node:fs'
     const { startRedis } = await import(${JSON.stringify(library)})
     const { pid, dir } = await startRedis(${JSON.stringify({ dir })})
     writeFileSync(${JSON.stringify(facts)}, JSON.stringify({ child: pid, dir }))
     setInterval(() => {}, 1000)`,
  )
  const starter = spawn(process.execPath, [script], { stdio: 'inherit' })
  const pid = starter.pid as number
  await waitFor(() => existsSync(facts) && readFileSync(facts, 'utf8'))
  return {
    ...(JSON.parse(readFileSync(facts, 'utf8')) as { child: number; dir: string }),
    pid,
    end: async (name) => {
      signal(pid, name)
      await waitFor(() => !isAlive(pid))
    },
  }
}

describe('the children of a process that has ended without stopping them', () => {
  test.each(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'a server and its temporary directory are gone soon after %s of the process that started it, without another start',
    async (name) => {
      const owner = await startOwner()
      expect(isAlive(owner.child)).toBe(true)
      await owner.end(name)
      await waitFor(() => !isAlive(owner.child) && !existsSync(owner.dir))
      expect(await reapOrphans()).not.toContain(`process ${owner.child}`)
    },
  )

  test('a child is ended whose owner was killed before it knew the id of the child', async () => {
    const logFile = join(home, 'child.log')
    const script = join(home, 'start.mjs')
    const library = fileURLToPath(new URL('../dist/orphans.js', import.meta.url))
    writeFileSync(
      script,
      `import { spawn } from 'node:child_process'
       import { openSync } from 'node:fs'
       const { rememberStart } = await import(${JSON.stringify(library)})
       rememberStart(${JSON.stringify(logFile)})
       const log = openSync(${JSON.stringify(logFile)}, 'a')
       spawn('sh', ['-c', 'echo $$; exec sleep 600'], { detached: true, stdio: ['ignore', log, log] })
       setInterval(() => {}, 1000)`,
    )
    const starter = spawn(process.execPath, [script], { stdio: 'inherit' })
    await waitFor(() => existsSync(logFile) && readFileSync(logFile, 'utf8'))
    const child = Number(readFileSync(logFile, 'utf8'))
    expect(isAlive(child)).toBe(true)
    starter.kill('SIGKILL')
    await waitFor(() => !isAlive(child))
  })

  test('a server whose data is kept is ended cleanly after SIGKILL of the process that started it', async () => {
    const dir = join(home, 'data')
    const owner = await startOwner(dir)
    await owner.end('SIGKILL')
    await waitFor(() => !isAlive(owner.child))
    expect(readFileSync(join(dir, 'redis.log'), 'utf8')).toMatch(/User requested shutdown/)
  })

  test('a frozen server is ended as well', async () => {
    const owner = await startOwner(join(home, 'data'))
    signal(owner.child, 'SIGSTOP')
    await owner.end('SIGKILL')
    await waitFor(() => !isAlive(owner.child))
  })

  test('the next start ends servers and removes directories when the watcher was killed as well', async () => {
    const owner = await startOwner()
    killWatcher(owner.pid)
    await owner.end('SIGKILL')
    expect(isAlive(owner.child)).toBe(true)
    const found = await reapOrphans()
    expect(found).toEqual(expect.arrayContaining([`process ${owner.child}`, `directory ${owner.dir}`]))
    expect([isAlive(owner.child), existsSync(owner.dir)]).toEqual([false, false])
  })

  test('the next start leaves a process alone whose id was given to another process meanwhile', async () => {
    const owner = await startOwner()
    killWatcher(owner.pid)
    const notes = join(tmpdir(), `millrace-owners-${process.getuid?.() ?? 0}`)
    const folder = readdirSync(notes).find((name) => name.startsWith(`${owner.pid}-`)) ?? 'none'
    const other = spawn('sleep', ['600'])
    writeFileSync(join(notes, folder, `child-${other.pid}`), `SIGKILL another ${processIdentity(other.pid as number)}`)
    await owner.end('SIGKILL')
    expect(await reapOrphans()).not.toContain(`process ${other.pid}`)
    expect(isAlive(other.pid as number)).toBe(true)
    other.kill('SIGKILL')
  })
  test('the next start goes on when another process removes a note, or all notes of an owner, while the start reads them', async () => {
    const notes = join(home, 'notes')
    const gone = join(home, 'gone')
    const directory = join(home, 'directory')
    mkdirSync(join(notes, '4194400-1'), { recursive: true })
    mkdirSync(directory)
    // A link to nothing is listed and cannot be read, like a file that is removed between the two.
    symlinkSync(gone, join(notes, '4194400-1', 'child-4194401'))
    writeFileSync(join(notes, '4194400-1', 'directory-of-test'), directory)
    symlinkSync(gone, join(notes, '4194402-1'))
    expect(await reapOrphans(notes)).toEqual([`directory ${directory}`])
    expect([existsSync(directory), readdirSync(notes)]).toEqual([false, []])
  })
})
