import type { Step } from '@millrace/database'
import type { TailWindow } from '../tail/memory-tail.js'
import { CHUNK_ROW_COLUMNS, type ChunkRow } from './chunk-row.js'

/** Writes rows of log_chunks. */
export function copyChunks(rows: readonly ChunkRow[]): Step {
  return {
    copy: { table: 'log_chunks', columns: CHUNK_ROW_COLUMNS },
    chunks: rows.map(({ tuple }) => Buffer.from(tuple.buffer, tuple.byteOffset, tuple.byteLength)),
  }
}

/** Remembers the last frame of each producer of a window, so that a replay knows which frames after it are new. */
export function noteFlushed(
  { group, stream }: { readonly group: string; readonly stream: string },
  producers: TailWindow['producers'],
): Step {
  return {
    name: 'log-flushed',
    text: `insert into log_flushed (group_name, stream, partition, producer, last_sequence)
      select $1, $2, * from unnest($3::smallint[], $4::uuid[], $5::bigint[])
      on conflict (group_name, stream, partition, producer) do update set last_sequence = excluded.last_sequence, updated_at = now()`,
    values: [
      group,
      stream,
      producers.map(({ partition }) => partition),
      producers.map(({ producer }) => producer),
      producers.map(({ sequence }) => sequence),
    ],
  }
}

/** A frame that can never be stored. */
export interface DeadFrame {
  readonly partition: number
  readonly position: string
  readonly producer: string
  readonly sequence: number
  readonly reason: string
  readonly payload: Buffer
}

/** Whole frames as dead letters; they belong to no tenant, as nobody can tell whose lines they hold. */
export function insertDeadFrames(stream: string, frames: readonly DeadFrame[]): Step {
  return {
    text: `insert into dead_letters (stream, tenant_id, partition, position, producer, sequence, record_index, message_id, code, reason, record)
      select $1, 0, partition, position, producer, sequence, -1, '', 'frame_unreadable', reason, record
      from unnest($2::smallint[], $3::text[], $4::uuid[], $5::bigint[], $6::text[], $7::bytea[]) as f(partition, position, producer, sequence, reason, record)`,
    values: [
      stream,
      frames.map(({ partition }) => partition),
      frames.map(({ position }) => position),
      frames.map(({ producer }) => producer),
      frames.map(({ sequence }) => sequence),
      frames.map(({ reason }) => reason),
      frames.map(({ payload }) => payload),
    ],
  }
}
