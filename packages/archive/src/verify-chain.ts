import { isMillraceError } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import type { ObjectStore } from '@millrace/object-store'
import { readBuried } from './archive.js'
import { archiveErrors } from './archive-errors.js'
import { chainPrefix, entryKey, readEntry } from './chain/chain-store.js'
import { type ChainHead, readHead, readSegments } from './chain/chain-table.js'
import type { TenantKeys } from './keys/tenant-keys.js'
import { type ChainId, NO_HASH } from './segment/entry.js'
import { type ChainObject, decryptSegment } from './segment/segment-file.js'

/** What is wrong with one object of a chain. */
export interface ChainProblem {
  readonly kind: 'missing' | 'modified' | 'truncated' | 'unreadable' | 'cut' | 'unexpected'
  /** The object. */
  readonly key: string
  readonly seq: number
  /** A sentence for people. */
  readonly reason: string
}

export interface ChainReport {
  readonly chain: ChainId
  readonly segments: number
  readonly records: number
  /** Segments that were deleted on purpose. */
  readonly deleted: number
  /** Empty for a chain that is whole. */
  readonly problems: readonly ChainProblem[]
}

export interface VerifyDeps {
  readonly database: Pick<Database, 'query'>
  readonly store: ObjectStore
  readonly keys: TenantKeys
}

/**
 * Reads all objects of a chain and compares each with its own checksums, with the entry before it, and with PostgreSQL, which has the hash of each segment and
 * of the head. Segments are decrypted. Nothing is changed. Rejects when the store or the database cannot be reached.
 */
export async function verifyChain(chain: ChainId, deps: VerifyDeps): Promise<ChainReport> {
  const head = await readHead(deps.database, chain)
  const known = new Map((await readSegments(deps.database, chain)).map(({ seq, hash }) => [seq, hash]))
  const listed = await listSeqs(deps.store, chain)
  const check = new ChainCheck({ chain, head, known, deps })
  for (let seq = 1; seq <= Math.max(head.seq, ...listed); seq++) await check.read(seq)
  return check.report()
}

async function listSeqs(store: ObjectStore, chain: ChainId): Promise<number[]> {
  const seqs: number[] = []
  for await (const { key } of store.list({ prefix: chainPrefix(chain) })) {
    const seq = /(\d{8})\.seg$/.exec(key)?.[1]
    if (seq !== undefined) seqs.push(Number(seq))
  }
  return seqs
}

class ChainCheck {
  readonly #chain: ChainId
  readonly #head: ChainHead
  readonly #known: ReadonlyMap<number, string>
  readonly #deps: VerifyDeps
  readonly #problems: ChainProblem[] = []
  /** Hash of each entry whose object is whole, and the entry before it. */
  readonly #links = new Map<number, { readonly hash: string; readonly previous: string }>()
  readonly #buried = new Map<number, ChainObject>()
  readonly #missing: number[] = []
  #segments = 0
  #records = 0

  constructor(given: {
    readonly chain: ChainId
    readonly head: ChainHead
    readonly known: ReadonlyMap<number, string>
    readonly deps: VerifyDeps
  }) {
    this.#chain = given.chain
    this.#head = given.head
    this.#known = given.known
    this.#deps = given.deps
  }

  async read(seq: number): Promise<void> {
    try {
      const stored = await readEntry(this.#deps.store, this.#chain, seq)
      this.#links.set(seq, { hash: stored.hash, previous: stored.entry.previous })
      await this.#readEntry(stored)
    } catch (error) {
      if (archiveErrors.ARCHIVE_SEGMENT_MISSING.matches(error)) this.#missing.push(seq)
      else this.#problem(seq, kindOf(error), (error as Error).message)
    }
  }

  async #readEntry(stored: ChainObject): Promise<void> {
    const { entry } = stored
    if (entry.type === 'tombstone') {
      for (const json of entry.deleted) {
        const buried = readBuried(json)
        if (buried !== undefined) this.#buried.set(buried.entry.seq, buried)
      }
      return
    }
    const tenantKey = await this.#deps.keys.read(entry.tenantId, entry.keyVersion)
    decryptSegment(entryKey(this.#chain, entry.seq), stored, tenantKey)
    this.#segments++
    this.#records += entry.records
  }

  report(): ChainReport {
    for (const [seq, { entry, hash }] of this.#buried)
      if (!this.#links.has(seq)) this.#links.set(seq, { hash, previous: entry.previous })
    for (const seq of this.#missing)
      if (!this.#buried.has(seq)) this.#problem(seq, 'missing', `the object ${entryKey(this.#chain, seq)} is missing`)
    for (const seq of this.#links.keys()) this.#compare(seq)
    this.#checkEnd()
    const problems = this.#problems.toSorted((a, b) => a.seq - b.seq)
    return {
      chain: this.#chain,
      segments: this.#segments,
      records: this.#records,
      deleted: this.#buried.size,
      problems,
    }
  }

  /** Compares an entry with PostgreSQL and with the entry before it. */
  #compare(seq: number): void {
    const key = entryKey(this.#chain, seq)
    const { hash, previous } = this.#links.get(seq) as { hash: string; previous: string }
    const expected = seq === this.#head.seq ? this.#head.hash : this.#known.get(seq)
    if (expected !== undefined && expected !== hash)
      this.#problem(seq, 'modified', `the object ${key} was modified: its entry has another hash than in PostgreSQL`)
    const before = seq === 1 ? NO_HASH : (this.#known.get(seq - 1) ?? this.#links.get(seq - 1)?.hash)
    if (before !== undefined && before !== previous)
      this.#problem(seq, 'modified', `the object ${key} does not continue the chain: its previous entry is another one`)
    // One entry after the head is that of a process that ended before it could note it.
    if (seq > this.#head.seq + 1)
      this.#problem(seq, 'unexpected', `the object ${key} is not part of the chain, which ends at ${this.#head.seq}`)
  }

  #checkEnd(): void {
    const last = Math.max(0, ...this.#links.keys())
    if (last < this.#head.seq)
      this.#problem(
        this.#head.seq,
        'cut',
        `the chain in the object store ends at entry ${last}, and its head in PostgreSQL is entry ${this.#head.seq}`,
      )
  }

  #problem(seq: number, kind: ChainProblem['kind'], reason: string): void {
    this.#problems.push({ kind, key: entryKey(this.#chain, seq), seq, reason })
  }
}

/** @throws the error itself when it says nothing about the object */
function kindOf(error: unknown): ChainProblem['kind'] {
  const code = isMillraceError(error) ? error.code : undefined
  if (code === 'ARCHIVE_TRUNCATED') return 'truncated'
  if (code === 'ARCHIVE_CORRUPT') return 'modified'
  if (code === 'ARCHIVE_KEY_MISSING' || code === 'ARCHIVE_VERSION_UNKNOWN') return 'unreadable'
  throw error
}
