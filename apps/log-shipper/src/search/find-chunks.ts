import { candidates, mayHave } from '@millrace/column-store'
import { DAY_MS } from '@millrace/contracts'
import type { Transaction } from '@millrace/database'
import { GROUP_CHUNKS } from '../store/group-filters.js'
import type { CompiledQuery } from './compiled-query.js'
import { hashesOf, mayPass, type TokenTest, tokenTestOf } from './required-tokens.js'
import type { ChunkPlace } from './stored-chunk.js'

interface HeadRow {
  readonly chunk_id: bigint
  readonly day: Date
  readonly first_ms: bigint
  readonly last_ms: bigint
  readonly lines: number
  readonly levels: number
  readonly services: readonly string[]
  readonly minutes: Buffer | null
  readonly is_plain: boolean
  readonly filter_group: bigint | null
  readonly filter_slot: number | null
  /** One block for each token. */
  readonly blocks: Buffer | null
}

const BLOCK_BYTES = 32
/** The bits of one block of all filters of a group. */
const GROUP_BLOCK_BYTES = (BLOCK_BYTES * 8 * GROUP_CHUNKS) / 8

export interface FindRange {
  /** Chunks whose newest line is at least as new. */
  readonly oldestMs: number
  /** Chunks whose oldest line is not newer. */
  readonly newestMs: number
  /** Chunks to look at. */
  readonly limit: number
}

export interface FoundChunks {
  /** From the newest to the oldest, by their newest line. */
  readonly chunks: readonly ChunkPlace[]
  /** Lines of chunks that have no match by their filters. */
  readonly skipped: number
  /** Whether there is no further chunk. */
  readonly isLast: boolean
  /** The newest line of the chunks that follow is not newer. */
  readonly lastMs: number
}

/** Finds the chunks of a search by the time of their newest line, from the newest to the oldest, and leaves out those whose heads and filters show that they have no match. */
export class ChunkFinder {
  readonly #tenantId: number
  readonly #query: CompiledQuery
  readonly #test: TokenTest | undefined
  readonly #hashes: readonly number[]
  #after = { lastMs: Number.MAX_SAFE_INTEGER, chunkId: 0n }

  constructor(tenantId: number, query: CompiledQuery) {
    this.#tenantId = tenantId
    this.#query = query
    this.#test = tokenTestOf(query.needs)
    this.#hashes = hashesOf(this.#test)
  }

  async next(tx: Transaction, { oldestMs, newestMs, limit }: FindRange): Promise<FoundChunks> {
    const { fromMs, toMs, levels, services } = this.#query
    const { rows } = await tx.query<HeadRow>({
      name: 'log-chunk-heads',
      // Lines that were too old when they arrived have a later day than that of their time, never an earlier one.
      text: `select chunk_id, day, first_ms, last_ms, lines, levels, services, minutes, data is not null as is_plain, filter_group, filter_slot,
          (select string_agg(substring(filter from (1 + ${BLOCK_BYTES} * ((hash * (octet_length(filter) / ${BLOCK_BYTES})) >> 32))::integer for ${BLOCK_BYTES}), ''::bytea order by number)
            from unnest($10::bigint[]) with ordinality as tokens (hash, number)) as blocks
        from log_chunks
        where tenant_id = $1 and day >= to_timestamp($9::float8) and last_ms >= $2 and first_ms < $3 and levels & $4::smallint <> 0
          and (cardinality($5::text[]) = 0 or services && $5::text[]) and (last_ms, chunk_id) < ($6, $7) and first_ms <= $8
        order by last_ms desc, chunk_id desc limit $11`,
      values: [
        this.#tenantId,
        Math.max(fromMs, oldestMs),
        toMs,
        levels,
        [...services],
        this.#after.lastMs,
        this.#after.chunkId,
        newestMs,
        (Math.floor(Math.max(fromMs, oldestMs, 0) / DAY_MS) * DAY_MS) / 1000,
        [...this.#hashes],
        limit,
      ],
      mayRepeat: true,
    })
    const last = rows.at(-1)
    if (last !== undefined) this.#after = { lastMs: Number(last.last_ms), chunkId: last.chunk_id }
    const kept = await this.#filter(tx, rows)
    return {
      chunks: kept.map(toPlace),
      skipped: rows.reduce((sum, { lines }) => sum + lines, 0) - kept.reduce((sum, { lines }) => sum + lines, 0),
      isLast: rows.length < limit,
      lastMs: this.#after.lastMs,
    }
  }

  async #filter(tx: Transaction, rows: readonly HeadRow[]): Promise<readonly HeadRow[]> {
    const test = this.#test
    if (test === undefined) return rows
    const groups = await this.#readGroups(tx, rows)
    return rows.filter(({ blocks, filter_group, filter_slot }) => {
      if (blocks !== null)
        return mayPass(test, (hash) => {
          const start = this.#hashes.indexOf(hash) * BLOCK_BYTES
          return mayHave(blocks.subarray(start, start + BLOCK_BYTES), hash)
        })
      const group = filter_group === null ? undefined : groups.get(filter_group)
      // A chunk without a filter may have everything.
      if (group === undefined || filter_slot === null) return true
      return mayPass(test, (hash) => group.get(hash)?.has(filter_slot) === true)
    })
  }

  /** For each group and token: the numbers of its chunks that may have it. */
  async #readGroups(tx: Transaction, rows: readonly HeadRow[]): Promise<Map<bigint, Map<number, Set<number>>>> {
    const ids = [...new Set(rows.map(({ filter_group }) => filter_group).filter((id) => id !== null))]
    const groups = new Map<bigint, Map<number, Set<number>>>()
    if (ids.length === 0) return groups
    const days = rows.map(({ day }) => day.getTime())
    const { rows: found } = await tx.query<{ chunk_id: bigint; blocks: Buffer | null }>({
      name: 'log-chunk-groups',
      text: `select chunk_id,
          (select string_agg(substring(group_filter from (1 + ${GROUP_BLOCK_BYTES} * ((hash * (octet_length(group_filter) / ${GROUP_BLOCK_BYTES})) >> 32))::integer for ${GROUP_BLOCK_BYTES}), ''::bytea order by number)
            from unnest($4::bigint[]) with ordinality as tokens (hash, number)) as blocks
        from log_chunks where tenant_id = $1 and day between to_timestamp($2::float8) and to_timestamp($3::float8) and chunk_id = any($5::bigint[])`,
      values: [this.#tenantId, Math.min(...days) / 1000, Math.max(...days) / 1000, [...this.#hashes], ids],
      mayRepeat: true,
    })
    for (const { chunk_id, blocks } of found) {
      if (blocks === null) continue
      const ofToken = this.#hashes.map((hash, index): [number, Set<number>] => {
        const bytes = blocks.subarray(index * GROUP_BLOCK_BYTES, (index + 1) * GROUP_BLOCK_BYTES)
        return [hash, new Set(candidates({ filters: GROUP_CHUNKS }, bytes, hash))]
      })
      groups.set(chunk_id, new Map(ofToken))
    }
    return groups
  }

  /** Lines of chunks of the time range whose heads show that they have no match. */
  async countSkipped(tx: Transaction): Promise<number> {
    const { fromMs, toMs, levels, services } = this.#query
    const { rows } = await tx.query<{ lines: bigint }>({
      name: 'log-chunks-skipped',
      text: `select coalesce(sum(lines), 0)::bigint as lines from log_chunks where tenant_id = $1 and last_ms >= $2 and first_ms < $3
        and not (levels & $4::smallint <> 0 and (cardinality($5::text[]) = 0 or services && $5::text[]))`,
      values: [this.#tenantId, fromMs, toMs, levels, [...services]],
    })
    return Number(rows[0]?.lines ?? 0n)
  }
}

function toPlace({
  chunk_id,
  day,
  first_ms,
  last_ms,
  lines,
  levels,
  services,
  minutes,
  is_plain,
}: HeadRow): ChunkPlace {
  return {
    chunkId: Number(chunk_id),
    dayMs: day.getTime(),
    firstMs: Number(first_ms),
    lastMs: Number(last_ms),
    lines,
    levels,
    services,
    minutes,
    isPlain: is_plain,
  }
}
