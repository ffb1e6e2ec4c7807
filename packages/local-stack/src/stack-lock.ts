import { spawnSync } from 'node:child_process'
import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createExclusively, isRunning, ownIdentity } from '@millrace/process-lock'

/**
 * Locks the data directory for this process. The returned function unlocks it. The kernel keeps the lock (flock) and releases it when this process ends,
 * however it ends. Where there is no program `flock`, a file with the id of the process is the lock.
 * @throws when another running process holds the lock.
 */
export function lockDataDirectory(dataDir: string, flockProgram = 'flock'): () => void {
  mkdirSync(dataDir, { recursive: true, mode: 0o755 })
  const file = join(dataDir, 'stack.lock')
  const fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o644)
  // The lock belongs to the open file, which the program shares with us, so it outlives the program.
  const { status } = spawnSync(flockProgram, ['-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
  if (status === 0) {
    noteHolder(fd)
    // The file stays: another process may be about to lock it, and a new file of this name would be another lock.
    return once(() => closeSync(fd))
  }
  closeSync(fd)
  if (status === 1) throw heldBy(dataDir, file)
  return lockByFile(dataDir)
}

/** A file descriptor that was closed may be another file by the second call. */
function once(work: () => void): () => void {
  let isDone = false
  return () => {
    if (!isDone) work()
    isDone = true
  }
}

function lockByFile(dataDir: string): () => void {
  const file = join(dataDir, 'stack.lock.process')
  const isStale = (holder: string) => !isRunning(holder)
  if (!createExclusively(file, ownIdentity(), isStale)) throw heldBy(dataDir, file)
  return once(() => rmSync(file, { force: true }))
}

/** Only for the message of a start that is refused, so a disk without room for it does not matter. */
function noteHolder(fd: number): void {
  try {
    ftruncateSync(fd)
    writeSync(fd, ownIdentity(), 0)
  } catch {
    // The message then names no process.
  }
}

function heldBy(dataDir: string, file: string): Error {
  const pid = Number.parseInt(readIfThere(file), 10)
  const by = pid > 0 ? ` (process ${pid})` : ''
  return new Error(`a stack already runs on ${dataDir}${by}: stop it, or set MILLRACE_DATA_DIR to another directory`)
}

/** While one process takes over a stale lock from another there is no file. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
