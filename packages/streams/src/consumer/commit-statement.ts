import type { SqlStatement } from './database-port.js'
import type { PartitionCommit } from './partition-state.js'
import type { FlushedPositions } from './stream-handler.js'

// Sent with COMMIT, so its row locks last only as long as the commit: a process that is stopped before it blocks nobody. Rows are found by their
// primary keys. The fence fails the transaction if any partition has another owner or epoch by now.
const TEXT = `
with batch as (
  select * from unnest($5::smallint[], $6::bigint[], $7::text[], $8::bigint[], $9::bigint[], $10::float8[], $11::float8[], $12::float8[],
    $13::text[], $14::bigint[], $15::boolean[])
  as b(partition, epoch, position, next_ordinal, frames, watermark_ms, first_ms, last_ms, flushed_position, flushed_ordinal, is_flushed)
), moved as (
  update stream_partitions p set
    position = b.position,
    next_ordinal = b.next_ordinal,
    frames = b.frames,
    flushed_position = coalesce(b.flushed_position, p.flushed_position),
    flushed_ordinal = coalesce(b.flushed_ordinal, p.flushed_ordinal),
    watermark = greatest(p.watermark, to_timestamp(b.watermark_ms / 1000)),
    unflushed_from = case when b.is_flushed then null else least(p.unflushed_from, to_timestamp(b.first_ms / 1000)) end,
    unflushed_to = case when b.is_flushed then null else greatest(p.unflushed_to, to_timestamp(b.last_ms / 1000)) end,
    flushed_watermark = case when b.is_flushed then greatest(p.watermark, to_timestamp(b.watermark_ms / 1000)) else p.flushed_watermark end,
    lease_expires_at = clock_timestamp() + $4 * interval '1 millisecond',
    blocked_reason = null,
    blocked_since = null,
    updated_at = clock_timestamp()
  from batch b
  where p.group_name = $1 and p.stream = $2 and p.owner = $3 and p.partition = b.partition and p.epoch = b.epoch
  returning 1
), seen as (
  insert into stream_producers (group_name, stream, partition, producer, last_sequence, records, lost_records)
  select $1, $2, s.* from unnest($16::smallint[], $17::uuid[], $18::bigint[], $19::bigint[], $20::bigint[]) s
  on conflict (group_name, stream, partition, producer) do update set
    last_sequence = excluded.last_sequence, records = excluded.records,
    lost_records = stream_producers.lost_records + excluded.lost_records, updated_at = clock_timestamp()
)
select millrace_fence((select count(*) from moved), (select count(*) from batch))`

/** Whose positions a commit moves. */
export interface CommitIdentity {
  readonly group: string
  readonly stream: string
  readonly member: string
  readonly leaseMs: number
}

/**
 * Writes the positions and producers of one transaction and renews the leases. `flushed`: the positions that the handler reported as flushed,
 * 'all' when the handler flushes every batch, 'none' when the handler was not called.
 */
export function commitStatement(
  identity: CommitIdentity,
  commits: readonly PartitionCommit[],
  flushed: FlushedPositions | 'all' | 'none',
): SqlStatement {
  const flushedOf = (commit: PartitionCommit) => {
    if (flushed === 'all') return { position: commit.position, ordinal: commit.nextOrdinal }
    return flushed === 'none' ? undefined : flushed.get(commit.partition)
  }
  const flushes = commits.map(flushedOf)
  const producers = commits.flatMap(({ partition, producers }) =>
    producers.map((producer) => ({ partition, ...producer })),
  )
  const { group, stream, member, leaseMs } = identity
  return {
    name: 'streams-commit',
    text: TEXT,
    values: [
      group,
      stream,
      member,
      leaseMs,
      commits.map(({ partition }) => partition),
      commits.map(({ epoch }) => epoch),
      commits.map(({ position }) => position),
      commits.map(({ nextOrdinal }) => nextOrdinal),
      commits.map(({ frames }) => frames),
      commits.map(({ watermarkMs }) => watermarkMs ?? null),
      commits.map(({ firstTimeMs }) => firstTimeMs ?? null),
      commits.map(({ lastTimeMs }) => lastTimeMs ?? null),
      flushes.map((flush) => flush?.position ?? null),
      flushes.map((flush) => flush?.ordinal ?? null),
      // Only when the handler has written everything; otherwise the records stay marked as unflushed, which is always safe.
      flushes.map((flush, index) => flush !== undefined && flush.ordinal === commits[index]?.nextOrdinal),
      producers.map(({ partition }) => partition),
      producers.map(({ producer }) => producer),
      producers.map(({ sequence }) => sequence),
      producers.map(({ records }) => records),
      producers.map(({ lostRecords }) => lostRecords),
    ],
  }
}
