import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { constants, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isAlive, isRunning, ownIdentity, processIdentity } from '@millrace/process-lock'
import { descendants, signal, writersOf } from './process-table.js'

/*
 * Our children run in sessions of their own, and a process that is killed cannot end its children. So each child and each temporary directory is noted
 * twice: with a second process, the watcher, which ends and removes them when this process ends, and in a file below a directory of this process, which the
 * next start reads in case the watcher was killed as well.
 */

/** Names of notes and their contents. */
export type Notes = ReadonlyMap<string, string>

/** How a child is ended when its owner has ended: SIGKILL, or a signal that asks for a clean end. */
export type EndSignal = 'SIGKILL' | 'SIGTERM' | 'SIGINT'

const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Time for a clean end before SIGKILL. */
const END_GRACE_MS = 10_000

const own = new Map<string, string>()
const watcher: { pipe?: Socket | undefined; killsAtExit: boolean } = { killsAtExit: false }

/**
 * Notes a child of this process. When this process ends, however it ends, the child and all processes below it are ended by `endSignal` (default SIGKILL).
 * The returned function forgets it.
 */
export function rememberChild(pid: number, endSignal: EndSignal = 'SIGKILL'): () => void {
  if (!watcher.killsAtExit) {
    process.once('exit', killAtExit)
    for (const name of END_SIGNALS) process.on(name, exitBySignal)
  }
  watcher.killsAtExit = true
  return remember(`child-${pid}`, `${endSignal} ${processIdentity(pid) ?? ''}`)
}

/**
 * Notes that a child is about to start whose output goes to `logFile`, since this process may be killed before it knows the id of the child. Then every
 * process that writes to this file is killed. To be forgotten once `rememberChild` was called.
 */
export function rememberStart(logFile: string): () => void {
  return remember(`start-${logFile.replaceAll('/', '_')}`, logFile)
}

/** Notes a temporary directory of this process, which is removed when this process ends. The returned function forgets it. */
export function rememberDirectory(path: string): () => void {
  return remember(`directory-${path.replaceAll('/', '_')}`, path)
}

/** Whether `path` is in a temporary directory of this process, so that nobody needs what is in it later. */
export function isInTemporaryDirectory(path: string): boolean {
  return [...own.values()].some((directory) => path === directory || path.startsWith(`${directory}/`))
}

/** Ends all children of this process and removes its temporary directories. */
export async function endEverything(): Promise<void> {
  await endNotes(own)
}

/**
 * Ends children and removes temporary directories of owners that are gone. Resolves with what was found, one phrase each, once all of it has ended. Several
 * processes may do so at the same time.
 */
export async function reapOrphans(root = notesDirectory()): Promise<string[]> {
  const found: string[] = []
  for (const owner of readdirSync(root)) {
    if (!/^\d+-/.test(owner) || isRunning(owner.replace('-', ' '))) continue
    found.push(...(await endNotes(readNotes(join(root, owner)))))
    rmSync(join(root, owner), { recursive: true, force: true })
  }
  return found
}

/** Ends the children of notes and removes their directories. Children that cannot lose data are killed first. */
export async function endNotes(notes: Notes): Promise<string[]> {
  for (const [name, logFile] of notes)
    if (name.startsWith('start-')) for (const pid of writersOf(logFile)) endTree(pid, 'SIGKILL')
  const children = [...notes].filter(([name]) => name.startsWith('child-')).flatMap(toRunningChild)
  for (const { pid, endSignal } of children) if (endSignal === 'SIGKILL') endTree(pid, 'SIGKILL')
  for (const { pid, endSignal } of children) if (endSignal !== 'SIGKILL') endTree(pid, endSignal)
  await waitForEnd(children)
  for (const { pid, isGone } of children) if (!isGone()) endTree(pid, 'SIGKILL')
  await waitForEnd(children)
  const directories = [...notes].filter(([name, path]) => name.startsWith('directory-') && existsSync(path))
  for (const [, path] of directories) removeDirectory(path)
  return [...children.map(({ pid }) => `process ${pid}`), ...directories.map(([, path]) => `directory ${path}`)]
}

/** Waits until all have ended, for at most the time of a clean end: a process that waits for a broken disk does not end at all. */
async function waitForEnd(children: readonly RunningChild[]): Promise<void> {
  const deadline = performance.now() + END_GRACE_MS
  while (children.some(({ isGone }) => !isGone()) && performance.now() < deadline) await delay(20)
}

/** Removes a directory with all of its files, and unmounts what is mounted on it. Nothing happens when it is gone. */
export function removeDirectory(path: string): void {
  const own = statSync(path, { throwIfNoEntry: false })
  const parent = statSync(dirname(path), { throwIfNoEntry: false })
  if (own && parent && own.dev !== parent.dev) spawnSync('umount', ['-l', path])
  // A process that was just killed may still be writing.
  rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
}

interface RunningChild {
  pid: number
  endSignal: NodeJS.Signals
  isGone: () => boolean
}

/** Empty when the process has ended, or when its id belongs to another process now. */
function toRunningChild([name, content]: [string, string]): RunningChild[] {
  const pid = Number(name.slice('child-'.length))
  const [endSignal, identity] = content.split(/ (.*)/)
  const isGone = () => !isAlive(pid) || processIdentity(pid) !== identity
  return isGone() ? [] : [{ pid, endSignal: endSignal as NodeJS.Signals, isGone }]
}

/** A process that asks its children itself gets the signal alone. Frozen processes have to run in order to end. */
function endTree(pid: number, name: NodeJS.Signals): void {
  const tree = [pid, ...descendants(pid)]
  for (const id of name === 'SIGKILL' ? tree : [pid]) signal(id, name)
  for (const id of tree) signal(id, 'SIGCONT')
}

/**
 * Without a handler a signal ends this process at any moment, also between the start of a child and its note. A handler runs after both. A program that
 * handles the signal itself decides alone.
 */
function exitBySignal(name: NodeJS.Signals): void {
  if (process.listenerCount(name) === 1) process.exit(128 + constants.signals[name])
}

/** Those with data are left to the watcher, which ends them cleanly. */
function killAtExit(): void {
  for (const [name, content] of own)
    if (name.startsWith('child-') && content.startsWith('SIGKILL'))
      signal(Number(name.slice('child-'.length)), 'SIGKILL')
}

function remember(name: string, content: string): () => void {
  own.set(name, content)
  tellWatcher(name, content)
  const forgetFile = writeNote(name, content)
  return () => {
    own.delete(name)
    tellWatcher(name, undefined)
    forgetFile()
  }
}

/** The watcher lives as long as there are notes. */
function tellWatcher(name: string, content: string | undefined): void {
  watcher.pipe ??= startWatcher()
  watcher.pipe.write(`${JSON.stringify([name, content ?? null])}\n`)
  if (own.size > 0) return
  watcher.pipe.end()
  watcher.pipe = undefined
}

/** Its parent is a shell that ends at once: it must not be among our descendants, which others end together with us. */
function startWatcher(): Socket {
  const script = fileURLToPath(new URL('../dist/watch-owner.js', import.meta.url))
  const { TMPDIR, PATH } = process.env
  const command = ['-c', '"$@" <&3 3<&- &', 'sh', process.execPath, script, ownerDirectory()]
  const shell = spawn('sh', command, {
    cwd: '/',
    env: { PATH, ...(TMPDIR && { TMPDIR }) },
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  const pipe = shell.stdio[3] as Socket
  // Without a watcher the notes in files remain.
  for (const source of [shell, pipe]) source.on('error', () => {})
  shell.unref()
  pipe.unref()
  return pipe
}

/** A disk without room for a note is no reason not to start a child: the watcher knows of it. */
function writeNote(name: string, content: string): () => void {
  const owner = ownerDirectory()
  try {
    mkdirSync(owner, { recursive: true })
    writeFileSync(join(owner, name), content)
  } catch (error) {
    if (!['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
  return () => {
    rmSync(join(owner, name), { force: true })
    try {
      rmdirSync(owner)
    } catch {
      // Other notes are still in it, or it is gone.
    }
  }
}

/** The watcher of an owner, or another start, may remove notes at any moment: what is gone meanwhile has been dealt with. */
function readNotes(owner: string): Notes {
  const notes = new Map<string, string>()
  for (const name of unlessGone(() => readdirSync(owner)) ?? []) {
    const content = unlessGone(() => readFileSync(join(owner, name), 'utf8'))
    if (content !== undefined) notes.set(name, content)
  }
  return notes
}

/** What `read` returns; undefined when the file or the folder does not exist. */
function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function ownerDirectory(): string {
  return join(notesDirectory(), ownIdentity().replace(' ', '-'))
}

/** Of this user alone: the notes say what is killed and removed, so nobody else may write them. */
function notesDirectory(): string {
  const uid = process.getuid?.() ?? 0
  const path = join(tmpdir(), `millrace-owners-${uid}`)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const stat = statSync(path)
  if (stat.uid !== uid || (stat.mode & 0o022) !== 0) throw new Error(`${path} belongs to another user: remove it`)
  return path
}
