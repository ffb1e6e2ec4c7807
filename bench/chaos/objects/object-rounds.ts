import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { HOUR_MS } from '@millrace/contracts'
import {
  type Child,
  removeTemporary,
  type Server,
  startChild,
  temporaryDirectory,
  waitFor,
} from '@millrace/local-stack'
import type { ObjectStore } from '@millrace/object-store'
import { within } from '@millrace/testing'
import type { Random } from '../../lib/random.js'
import { ROOT } from '../../lib/repository.js'
import { type KeyHistory, ObjectHistory, RacedKey, type WriterLine } from './object-history.js'
import { type ObjectTarget, openTarget } from './object-target.js'
import type { WriterTask } from './object-writer.js'
import { removeLargeObjects, verifyObjects } from './verify-objects.js'

/** What is broken: the server of the objects, or a process that writes them. */
const SERVER_FAULTS = ['kill server', 'freeze server', 'restart server'] as const
const WRITER_FAULTS = ['kill writer', 'freeze writer'] as const
type ObjectFault = (typeof SERVER_FAULTS | typeof WRITER_FAULTS)[number]

export interface ObjectRoundsOptions {
  readonly target: ObjectTarget
  /** The S3 server; none for a folder. */
  readonly server?: Server | undefined
  readonly random: Random
  /** Faults of a round, in random order: each kind once before one comes twice. */
  readonly faultsPerRound: number
  /** Longest time for which something is frozen. */
  readonly freezeMsMax: number
  readonly say: (line: string) => void
}

/** What happened in all rounds. Too little of it proves nothing. */
export interface ObjectFindings {
  readonly rounds: number
  readonly broken: Partial<Record<ObjectFault, number>>
  /** Objects of more than one part whose writer was killed while it put them. */
  readonly uploads_killed: number
  /** Puts and deletes that were acknowledged, and those whose outcome nobody knows. */
  readonly acknowledged: number
  readonly unknown: number
  readonly races_decided: number
  readonly reads: number
  /** Objects that were compared byte for byte. */
  readonly compared: number
  readonly abandoned_uploads: number
  readonly faults: readonly string[]
}

const WRITER = join(ROOT, 'bench/dist/chaos/objects/object-writer.js')
const WRITERS = 2
const LANES = 3
const LARGE_BYTES = 16 * 1024 ** 2
/** Longest wait for a long upload whose writer is to be killed. */
const LONG_UPLOAD_MS = 5000
const END_MS = 180_000

interface Writer extends Child {
  readonly logFile: string
}

/** Runs rounds of random changes on an object store while its server and its writers are broken, and compares what is there with what was acknowledged. */
export class ObjectRounds {
  readonly #options: ObjectRoundsOptions
  readonly #directory = temporaryDirectory('millrace-object-writers-')
  readonly #history = new ObjectHistory()
  readonly #faults: string[] = []
  readonly #broken: Partial<Record<ObjectFault, number>> = {}
  #writers: Writer[] = []
  #writersStarted = 0
  #rounds = 0
  #uploadsKilled = 0
  #acknowledged = 0
  #unknown = 0
  #racesDecided = 0
  #compared = 0
  #abandoned = 0

  constructor(options: ObjectRoundsOptions) {
    this.#options = options
  }

  async round(): Promise<void> {
    const { random, freezeMsMax } = this.#options
    const prefix = `round-${++this.#rounds}`
    const logs: string[] = []
    for (let index = 0; index < WRITERS; index++) await this.#startWriter(prefix, logs)
    for (const fault of this.#plan()) {
      await delay(random.between(200, 1200))
      this.#broken[fault] = (this.#broken[fault] ?? 0) + 1
      await this.#break(fault, random.between(200, freezeMsMax), () => this.#startWriter(prefix, logs))
    }
    await delay(random.between(200, 800))
    await this.#endWriters()
    for (const log of logs) this.#readLog(log)
    await this.#verify(prefix)
  }

  /** Compares the objects of all rounds, after removing what killed writers have left. */
  async finish(): Promise<ObjectFindings> {
    const store = await openTarget(this.#options.target)
    try {
      const later = new Date(Date.now() + HOUR_MS)
      this.#abandoned = await store.removeAbandonedUploads(later)
      const left = await store.removeAbandonedUploads(later)
      if (left > 0) this.#faults.push(`${left} abandoned uploads could not be removed`)
      await this.#compare(store, '')
    } finally {
      await store.close()
    }
    return {
      rounds: this.#rounds,
      broken: this.#broken,
      uploads_killed: this.#uploadsKilled,
      acknowledged: this.#acknowledged,
      unknown: this.#unknown,
      races_decided: this.#racesDecided,
      reads: this.#history.reads,
      compared: this.#compared,
      abandoned_uploads: this.#abandoned,
      faults: [...this.#faults, ...this.#history.faults],
    }
  }

  async stop(): Promise<void> {
    for (const writer of this.#writers) await writer.kill()
    removeTemporary(this.#directory)
  }

  #plan(): ObjectFault[] {
    const { random, server, faultsPerRound } = this.#options
    const kinds = server === undefined ? [...WRITER_FAULTS] : [...SERVER_FAULTS, ...WRITER_FAULTS]
    const plan: ObjectFault[] = []
    while (plan.length < faultsPerRound) plan.push(...random.shuffle(kinds))
    return plan.slice(0, faultsPerRound)
  }

  async #startWriter(prefix: string, logs: string[]): Promise<void> {
    const { target, random } = this.#options
    const writer = ++this.#writersStarted
    const logFile = join(this.#directory, `writer-${writer}.log`)
    const task: WriterTask = { ...target, seed: random.between(1, 2 ** 31), writer, lanes: LANES, prefix }
    const args = [WRITER, JSON.stringify(task)]
    const child = await startChild({
      name: `writer ${writer}`,
      command: process.execPath,
      args,
      env: process.env,
      logFile,
    })
    this.#writers.push(Object.assign(child, { logFile }))
    logs.push(logFile)
    // From then on SIGTERM ends it in order.
    await waitFor(async () => readLines(logFile).length > 0, {
      deadlineMs: END_MS,
      what: 'the first change of a writer',
    })
  }

  async #break(fault: ObjectFault, ms: number, startWriter: () => Promise<void>): Promise<void> {
    const { server, random } = this.#options
    switch (fault) {
      case 'kill server':
        await server?.kill()
        await delay(ms)
        await server?.restart()
        return
      case 'freeze server':
        await server?.pause()
        await delay(ms)
        await server?.resume()
        return
      case 'restart server':
        await server?.restart()
        return
      case 'kill writer': {
        const victim = random.pick(this.#writers)
        await this.#untilLongUpload(victim)
        await victim.kill()
        this.#writers = this.#writers.filter((writer) => writer !== victim)
        await startWriter()
        return
      }
      case 'freeze writer': {
        const victim = random.pick(this.#writers)
        await victim.kill('SIGSTOP')
        await delay(ms)
        await victim.kill('SIGCONT')
      }
    }
  }

  /** Waits until a writer is in the middle of a long upload, but not for ever: all its lanes may read. */
  async #untilLongUpload({ logFile }: Writer): Promise<void> {
    const endsAt = performance.now() + LONG_UPLOAD_MS
    const isUploading = () => {
      const history = new ObjectHistory()
      for (const line of readLines(logFile)) history.add(line)
      return [...history.keys.values()].some(hasLongUpload)
    }
    while (!isUploading() && performance.now() < endsAt) await delay(20)
  }

  async #endWriters(): Promise<void> {
    for (const writer of this.#writers) await writer.kill('SIGTERM')
    for (const writer of this.#writers) {
      const { code, signal } = await within(END_MS, writer.exited)
      if (code !== 0) this.#faults.push(`${writer.name} ended with ${signal ?? code}: ${writer.tail(3)}`)
    }
    this.#writers = []
  }

  #readLog(file: string): void {
    for (const line of readLines(file)) {
      this.#history.add(line)
      if ('end' in line && line.end === 'done') this.#acknowledged++
      if ('end' in line && line.end === 'unknown') this.#unknown++
    }
  }

  async #verify(prefix: string): Promise<void> {
    for (const [key, history] of this.#history.keys) {
      if (!key.startsWith(`${prefix}/`)) continue
      if (hasLongUpload(history)) this.#uploadsKilled++
      if (history instanceof RacedKey && history.isDecided) this.#racesDecided++
    }
    const store = await openTarget(this.#options.target)
    try {
      await this.#compare(store, `${prefix}/`)
      // So that a long run does not fill the disk.
      await removeLargeObjects(store, this.#history, { prefix: `${prefix}/`, bytesMin: LARGE_BYTES })
    } finally {
      await store.close()
    }
  }

  async #compare(store: ObjectStore, prefix: string): Promise<void> {
    const { compared, faults } = await verifyObjects(store, this.#history, prefix)
    this.#compared += compared
    this.#faults.push(...faults)
    const what = prefix === '' ? 'all rounds' : prefix.slice(0, -1)
    this.#options.say(`${what}: ${compared} objects compared${faults.map((fault) => `; FAULT ${fault}`).join('')}`)
  }
}

/** The changes that a writer has printed. Other lines are warnings of Node. */
function readLines(file: string): WriterLine[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as WriterLine)
}

function hasLongUpload({ open }: KeyHistory): boolean {
  return open.some((state) => state !== 'absent' && state.bytes > LARGE_BYTES)
}

/** Why rounds prove nothing; undefined when they prove something. */
export function whyObjectsInconclusive(findings: ObjectFindings, hasServer: boolean): string | undefined {
  if (findings.acknowledged === 0) return 'nothing was acknowledged'
  if (findings.compared === 0) return 'no object was compared'
  if (findings.reads === 0) return 'nothing was read meanwhile'
  if (findings.races_decided === 0) return 'no two writers put the same key'
  if (findings.uploads_killed === 0) return 'no writer was killed during a long upload'
  if (hasServer && findings.unknown === 0) return 'no request failed while the server was broken'
  return undefined
}
