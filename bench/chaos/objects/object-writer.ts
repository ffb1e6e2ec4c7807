// This program puts, reads and deletes objects in several lanes until SIGTERM, or until it is killed. Each change is printed before it begins and after it has ended.
import { writeSync } from 'node:fs'
import type { ObjectStore } from '@millrace/object-store'
import { readTask } from '../../lib/json-process.js'
import { createRandom, type Random } from '../../lib/random.js'
import { bodyPieces, findVersion, type ObjectVersion } from './object-body.js'
import { type KeyState, type Outcome, OwnedKey, type WriterLine } from './object-history.js'
import { IDLE_TIMEOUT_MS, type ObjectTarget, openTarget } from './object-target.js'

export interface WriterTask extends ObjectTarget {
  readonly seed: number
  /** Unique in a run: the ids of its versions begin with it. */
  readonly writer: number
  readonly lanes: number
  /** All keys begin with it and a slash. */
  readonly prefix: string
}

const VERSIONS_PER_WRITER = 100_000
const KEYS_PER_LANE = 8
const SMALL_BYTES_MAX = 300_000
/** More than one part of an upload to S3. */
const LARGE_BYTES = [17, 40].map((mib) => mib * 1024 ** 2) as [number, number]
/** In this time all lanes of all writers put the same key only if it is absent. */
const RACE_MS = 120

const task = readTask<WriterTask>()
const store = await openTarget(task)
let lastVersion = task.writer * VERSIONS_PER_WRITER
let isEnding = false
process.once('SIGTERM', () => {
  isEnding = true
})

/** Written at once, so that a kill loses no line. */
function print(line: WriterLine): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}

function createVersion(random: Random): ObjectVersion {
  const bytes = random.next() < 0.12 ? random.between(...LARGE_BYTES) : random.between(0, SMALL_BYTES_MAX)
  return { id: ++lastVersion, bytes }
}

class Lane {
  readonly #name: string
  readonly #random: Random
  readonly #store: ObjectStore
  readonly #keys = new Map<string, OwnedKey>()
  #race = 0

  constructor(name: string, random: Random, own: ObjectStore) {
    this.#name = name
    this.#random = random
    this.#store = own
  }

  async run(): Promise<void> {
    while (!isEnding) {
      const dice = this.#random.next()
      if (dice < 0.4) await this.#put(this.#ownKey())
      else if (dice < 0.65) await this.#read(this.#ownKey())
      else if (dice < 0.75) await this.#delete(this.#ownKey())
      else if (dice < 0.8) await this.#putFailing(this.#ownKey())
      else await this.#putRaced()
    }
  }

  #ownKey(): string {
    return `${task.prefix}/${this.#name}/${this.#random.between(1, KEYS_PER_LANE)}`
  }

  #history(key: string): OwnedKey {
    const known = this.#keys.get(key) ?? new OwnedKey()
    this.#keys.set(key, known)
    return known
  }

  async #put(key: string): Promise<void> {
    const version = createVersion(this.#random)
    await this.#change(key, version, async () => {
      await this.#store.put(key, bodyPieces(version))
      return 'done'
    })
  }

  /** The body ends with an error, or the call is aborted, somewhere in the middle. */
  async #putFailing(key: string): Promise<void> {
    const version = createVersion(this.#random)
    const failAt = this.#random.between(0, version.bytes)
    const isAborted = this.#random.next() < 0.5
    const abort = new AbortController()
    const failure = new Error('the body fails')
    async function* body(): AsyncGenerator<Uint8Array> {
      let at = 0
      for await (const piece of bodyPieces(version)) {
        at += piece.length
        if (at >= failAt && isAborted) abort.abort(failure)
        else if (at >= failAt) throw failure
        yield piece
      }
      throw failure
    }
    await this.#change(key, version, async () => {
      try {
        await this.#store.put(key, body(), { signal: abort.signal })
      } catch (error) {
        // The store never had the whole object, whatever else went wrong.
        if (error !== failure && (error as { code?: string }).code !== 'OBJECT_STORE_UNAVAILABLE') throw error
        return 'nothing'
      }
      throw new Error('a put was acknowledged although its body failed')
    })
  }

  async #putRaced(): Promise<void> {
    const race = Math.floor(Date.now() / RACE_MS)
    // One put of each lane and race, so that a lane cannot lose against itself.
    if (race === this.#race) return await this.#read(this.#ownKey())
    this.#race = race
    const key = `${task.prefix}/race-${race}`
    const version = createVersion(this.#random)
    const begin = { begin: version, key, lane: this.#name }
    print(begin)
    const outcome = await this.#outcome(key, async () => {
      await this.#store.put(key, bodyPieces(version), { ifAbsent: true })
      return 'done'
    })
    print({ end: outcome, key, lane: this.#name, isLatePossible: false })
  }

  async #delete(key: string): Promise<void> {
    await this.#change(key, 'absent', async () => {
      await this.#store.delete(key)
      return 'done'
    })
  }

  async #change(key: string, change: KeyState, work: () => Promise<Outcome>): Promise<void> {
    const history = this.#history(key)
    print({ begin: change, key, lane: this.#name })
    history.begin(this.#name, change)
    const startedAt = performance.now()
    const end = await this.#outcome(key, work)
    // Requests that were given up have taken at least this long.
    const isSlow = performance.now() - startedAt >= IDLE_TIMEOUT_MS
    const isLatePossible = task.url.startsWith('s3:') && (isSlow || end === 'unknown')
    history.end(this.#name, end, isLatePossible)
    print({ end, key, lane: this.#name, isLatePossible })
  }

  async #outcome(key: string, work: () => Promise<Outcome>): Promise<Outcome> {
    try {
      return await work()
    } catch (error) {
      const { code, message } = error as { code?: string; message: string }
      if (code === 'OBJECT_EXISTS') return 'exists'
      if (code !== 'OBJECT_STORE_UNAVAILABLE') print({ fault: `${key}: ${code ?? ''} ${message}` })
      return 'unknown'
    }
  }

  /** Reads a range, or everything. What arrives must be that part of one version. */
  async #read(key: string): Promise<void> {
    const possible = this.#history(key).possible()
    const versions = possible.filter((state) => state !== 'absent')
    const offset = this.#random.next() < 0.5 ? 0 : this.#random.between(0, SMALL_BYTES_MAX)
    const bytes = this.#random.between(1, SMALL_BYTES_MAX)
    const isWhole = this.#random.next() < 0.3
    try {
      const { body } = await this.#store.get(key, isWhole ? {} : { range: { offset, bytes } })
      const found = await findVersion(body, versions, isWhole ? undefined : { from: offset, to: offset + bytes })
      if (found === undefined) print({ fault: `${key}: a read returned bytes that nobody had put there` })
      print({ read: key })
    } catch (error) {
      const { code, message } = error as { code?: string; message: string }
      const isExpected =
        code === 'OBJECT_STORE_UNAVAILABLE' || (code === 'OBJECT_NOT_FOUND' && possible.includes('absent'))
      if (!isExpected) print({ fault: `${key}: a read failed with ${code ?? ''} ${message}` })
    }
  }
}

const random = createRandom(task.seed)
const lanes = Array.from({ length: task.lanes }, (_, lane) => {
  const name = `${task.writer}-${lane}`
  return new Lane(name, createRandom(random.between(1, 2 ** 31)), store)
})
await Promise.all(lanes.map((lane) => lane.run()))
await store.close()
