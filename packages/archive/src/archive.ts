import { isMillraceError } from '@millrace/contracts'
import { type Database, databaseErrors, type Step } from '@millrace/database'
import type { ObjectStore } from '@millrace/object-store'
import { archiveErrors } from './archive-errors.js'
import { chainPrefix, entryKey, putEntry, readEntry } from './chain/chain-store.js'
import {
  type ChainHead,
  type KnownSegment,
  markDeleted,
  moveHead,
  readEntryTexts,
  readHead,
} from './chain/chain-table.js'
import type { TenantKeys } from './keys/tenant-keys.js'
import { type ChainId, parseEntry, type SegmentEntry, type SegmentFacts } from './segment/entry.js'
import { type ChainObject, decryptSegment, encodeSegment, encodeTombstone, sha256 } from './segment/segment-file.js'

export interface ArchiveDeps {
  readonly database: Pick<Database, 'query' | 'transaction'>
  readonly store: ObjectStore
  readonly keys: TenantKeys
  readonly now: () => Date
}

/** A segment before it is sealed. */
export interface SegmentDraft {
  readonly facts: SegmentFacts
  readonly payload: Buffer
}

/** A segment that is stored. */
export interface StoredSegment {
  readonly entry: SegmentEntry
  readonly hash: string
  readonly payload: Buffer
}

export interface AppendRequest {
  /** Makes the segment; called after the head of the chain was read. Undefined appends nothing. */
  readonly draft: () => Promise<SegmentDraft | undefined>
  /**
   * The statements that belong to the segment, in the transaction that moves the head of the chain. The segment may be one that an earlier call
   * stored and could not note any more, with other contents than the draft: take from its payload what it holds.
   */
  readonly effects: (segment: StoredSegment) => readonly Step[]
}

export interface RebuildReport {
  /** Entries that are now known. */
  readonly entries: number
  /** What is wrong with the chains that could not be completed: a sentence for each. */
  readonly problems: readonly string[]
}

/** What became of an append. `moved`: the chain has grown by an entry of somebody else, and the caller decides anew what is to be appended. */
export type AppendResult =
  | { readonly kind: 'appended'; readonly segment: StoredSegment }
  | { readonly kind: 'nothing' | 'moved' }

/**
 * Segments in the object store, each an entry of the hash chain of its tenant, stream and day. An entry is stored under its sequence if that key is
 * free, and then the head of the chain in PostgreSQL moves together with the caller's statements. Whatever process ends between the two, the next
 * append finds the stored entry and completes it. So an entry is never stored twice, and no two entries have one place.
 */
export class Archive {
  readonly #deps: ArchiveDeps

  constructor(deps: ArchiveDeps) {
    this.#deps = deps
  }

  /** Any number of processes may append to one chain. Errors of the object store and of the database leave the chain as it is: call again. */
  async append(chain: ChainId, { draft, effects }: AppendRequest): Promise<AppendResult> {
    const { database, store, keys, now } = this.#deps
    const head = await readHead(database, chain)
    const drafted = await draft()
    if (drafted === undefined) return { kind: 'nothing' }
    const key = await keys.current(chain.tenantId)
    const place = { ...chain, seq: head.seq + 1, previous: head.hash }
    const bytes = encodeSegment(place, drafted.facts, { payload: drafted.payload, key, sealedAt: now() })
    const stored = await putEntry(store, { chain, seq: place.seq, bytes })
    return await this.#complete(chain, { head, stored, effects })
  }

  /** The payload of a segment. @throws ARCHIVE_SEGMENT_MISSING, ARCHIVE_CORRUPT, ARCHIVE_TRUNCATED, ARCHIVE_KEY_MISSING */
  async read(segment: Pick<KnownSegment, 'tenantId' | 'stream' | 'day' | 'seq' | 'hash'>): Promise<Buffer> {
    const stored = await readEntry(this.#deps.store, segment, segment.seq)
    if (stored.hash !== segment.hash) {
      const key = entryKey(segment, segment.seq)
      throw archiveErrors.ARCHIVE_CORRUPT({
        message: `the object ${key} was modified: its entry has another hash than in PostgreSQL`,
        details: { key },
      })
    }
    return await this.#decrypt(stored)
  }

  /**
   * Deletes segments of one chain and appends a tombstone that keeps their entries. `isAllowed` runs in the transaction that appends it and decides at
   * last: a legal hold that is placed under the same lock is never passed over. Returns whether they are deleted now.
   */
  async bury(
    chain: ChainId,
    request: {
      readonly seqs: readonly number[]
      readonly reason: string
      readonly isAllowed: (tx: Pick<Database, 'query'>) => Promise<boolean>
    },
  ): Promise<boolean> {
    const { database, store, now } = this.#deps
    const head = await readHead(database, chain)
    const deleted = await readEntryTexts(database, chain, request.seqs)
    if (deleted.length === 0) return true
    const place = { ...chain, seq: head.seq + 1, previous: head.hash }
    const bytes = encodeTombstone(place, { reason: request.reason, deleted, sealedAt: now() })
    const isBuried = await database.transaction(async (tx) => {
      if (!(await request.isAllowed(tx))) return false
      const stored = await putEntry(store, { chain, seq: place.seq, bytes })
      if (stored.entry.type !== 'tombstone' || stored.entry.previous !== head.hash) return false
      await tx.pipeline([...moveHead(stored), ...this.#burials(chain, stored)])
      return true
    })
    if (isBuried) await this.removeBuried(chain, request.seqs)
    return isBuried
  }

  /** Removes the objects of segments that a tombstone names. Called again after an interruption, it goes on. */
  async removeBuried(chain: ChainId, seqs: readonly number[]): Promise<void> {
    for (const seq of seqs) await this.#deps.store.delete(entryKey(chain, seq))
  }

  /**
   * Completes PostgreSQL from the object store: entries after the head of each chain are noted, for a database that was restored from a backup or is new.
   * A chain with a damaged object is completed up to that object. `effects` is that of `append`.
   */
  async rebuild(effects: AppendRequest['effects']): Promise<RebuildReport> {
    let entries = 0
    const problems: string[] = []
    for (const chain of await listChains(this.#deps.store)) {
      try {
        while (await this.#rebuildNext(chain, effects)) entries++
      } catch (error) {
        if (!(isMillraceError(error) && error.code in archiveErrors)) throw error
        problems.push(error.message)
      }
    }
    return { entries, problems }
  }

  async #rebuildNext(chain: ChainId, effects: AppendRequest['effects']): Promise<boolean> {
    const head = await readHead(this.#deps.database, chain)
    const stored = await this.#nextStored(chain, head)
    if (stored === undefined) return false
    await this.#complete(chain, { head, stored, effects })
    return true
  }

  /** The entry after the head, or the entry that a later tombstone keeps of it. */
  async #nextStored(chain: ChainId, head: ChainHead): Promise<ChainObject | undefined> {
    const { store } = this.#deps
    try {
      return await readEntry(store, chain, head.seq + 1)
    } catch (error) {
      if (!archiveErrors.ARCHIVE_SEGMENT_MISSING.matches(error)) throw error
    }
    for await (const { key } of store.list({ prefix: chainPrefix(chain) })) {
      const seq = Number(/(\d{8})\.seg$/.exec(key)?.[1])
      if (!(seq > head.seq)) continue
      const { entry } = await readEntry(store, chain, seq)
      if (entry.type !== 'tombstone') continue
      for (const json of entry.deleted) {
        const buried = readBuried(json)
        if (buried?.entry.seq === head.seq + 1) return buried
      }
    }
    return undefined
  }

  async #complete(
    chain: ChainId,
    {
      head,
      stored,
      effects,
    }: { readonly head: ChainHead; readonly stored: ChainObject; readonly effects: AppendRequest['effects'] },
  ): Promise<AppendResult> {
    const { database } = this.#deps
    const { entry, hash } = stored
    if (entry.previous !== head.hash) {
      const isSame = (await readHead(database, chain)).hash === head.hash
      if (!isSame) return { kind: 'moved' }
      const key = entryKey(chain, entry.seq)
      throw archiveErrors.ARCHIVE_CORRUPT({
        message: `the object ${key} does not continue the chain: its previous entry is another one than the head in PostgreSQL`,
        details: { key },
      })
    }
    const segment =
      entry.type === 'segment' && stored.body.length > 0
        ? { entry, hash, payload: await this.#decrypt(stored) }
        : undefined
    const steps = segment === undefined ? this.#burials(chain, stored) : effects(segment)
    try {
      await database.transaction((tx) => tx.pipeline([...moveHead(stored), ...steps]))
    } catch (error) {
      if (databaseErrors.DATABASE_FENCED.matches(error)) return { kind: 'moved' }
      throw error
    }
    return segment === undefined ? { kind: 'moved' } : { kind: 'appended', segment }
  }

  #burials(chain: ChainId, { entry }: ChainObject): Step[] {
    if (entry.type !== 'tombstone') return []
    const seqs = entry.deleted.flatMap((json) => readBuried(json)?.entry.seq ?? [])
    return [markDeleted(chain, seqs, entry.seq)]
  }

  async #decrypt(stored: ChainObject): Promise<Buffer> {
    const { entry } = stored
    const version = entry.type === 'segment' ? entry.keyVersion : 0
    const key = await this.#deps.keys.read(entry.tenantId, version)
    return decryptSegment(entryKey(entry, entry.seq), stored, key)
  }
}

/** All chains that have an object in the store, in the order of its keys. */
async function listChains(store: ObjectStore): Promise<ChainId[]> {
  const chains = new Map<string, ChainId>()
  for await (const { key } of store.list({ prefix: 'segments/' })) {
    const match = /^segments\/tenant=(\d+)\/stream=([^/]+)\/day=(\d{4}-\d{2}-\d{2})\/\d{8}\.seg$/.exec(key)
    const [, tenantId, stream, day] = match ?? []
    if (tenantId === undefined || stream === undefined || day === undefined) continue
    const chain = { tenantId: Number(tenantId), stream, day }
    chains.set(chainPrefix(chain), chain)
  }
  return [...chains.values()]
}

/** The entry of a deleted segment, as its tombstone keeps it. */
export function readBuried(json: string): ChainObject | undefined {
  const entry = parseEntry(json)
  if (typeof entry === 'string') return undefined
  return { entry, entryJson: json, hash: sha256(Buffer.from(json)), body: Buffer.alloc(0) }
}
