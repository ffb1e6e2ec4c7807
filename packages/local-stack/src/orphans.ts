import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { descendants, isAlive, processIdentity, signal } from './process-table.js'

/*
 * A process that is killed with SIGKILL cannot end its children, and our children run in sessions of their own. So each child and each temporary
 * directory is recorded in a file below a directory of its owner, and the next start removes what owners that have ended left behind.
 */

let killsAtExit = false
const children = new Set<number>()

/** Notes a child of this process; it is killed when this process exits. The returned function forgets it. */
export function rememberChild(pid: number): () => void {
  if (!killsAtExit) process.once('exit', killChildren)
  killsAtExit = true
  children.add(pid)
  const forget = remember(`child-${pid}`, processIdentity(pid) ?? '')
  return () => {
    children.delete(pid)
    forget()
  }
}

function killChildren(): void {
  for (const child of children) signal(child, 'SIGKILL')
}

/** Notes a temporary directory of this process. The returned function forgets it. */
export function rememberDirectory(path: string): () => void {
  return remember(`directory-${path.replaceAll('/', '_')}`, path)
}

/** Kills children and removes temporary directories of owners that are gone. Returns what was found, one phrase each. */
export function reapOrphans(): string[] {
  const root = notesDirectory()
  const found: string[] = []
  for (const owner of readdirSync(root)) {
    const [pid = '', identity] = owner.split(/-(.*)/)
    if (isAlive(Number(pid)) && processIdentity(Number(pid)) === identity) continue
    const notes = readdirSync(join(root, owner)).sort()
    for (const note of notes) found.push(...reap(note, readFileSync(join(root, owner, note), 'utf8')))
    rmSync(join(root, owner), { recursive: true, force: true })
  }
  return found
}

function reap(note: string, content: string): string[] {
  if (note.startsWith('directory-')) {
    rmSync(content, { recursive: true, force: true })
    return [`directory ${content}`]
  }
  const pid = Number(note.slice('child-'.length))
  if (!isAlive(pid) || processIdentity(pid) !== content) return []
  for (const id of [...descendants(pid), pid]) signal(id, 'SIGKILL')
  return [`process ${pid}`]
}

function remember(name: string, content: string): () => void {
  const owner = join(notesDirectory(), `${process.pid}-${processIdentity(process.pid)}`)
  mkdirSync(owner, { recursive: true })
  writeFileSync(join(owner, name), content)
  return () => {
    rmSync(join(owner, name), { force: true })
    try {
      rmdirSync(owner)
    } catch {
      // Other notes are still in it, or it is gone.
    }
  }
}

/** Of this user alone: the notes say what is killed and removed, so nobody else may write them. */
function notesDirectory(): string {
  const uid = process.getuid?.() ?? 0
  const path = join(tmpdir(), `millrace-running-${uid}`)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const stat = statSync(path)
  if (stat.uid !== uid || (stat.mode & 0o022) !== 0) throw new Error(`${path} belongs to another user: remove it`)
  return path
}
