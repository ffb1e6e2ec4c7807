import type { Step } from '@millrace/database'
import type { TailWindow } from '../tail/memory-tail.js'
import type { Chunk } from './build-chunks.js'

/** Rows of log_chunks, 8 a statement: one costs little more than a single row. */
export function insertChunks(chunks: readonly Chunk[]): Step[] {
  const steps: Step[] = []
  for (let start = 0; start < chunks.length; start += CHUNKS_PER_STATEMENT)
    steps.push(insertSome(chunks.slice(start, start + CHUNKS_PER_STATEMENT)))
  return steps
}

const CHUNKS_PER_STATEMENT = 8
const COLUMNS = 8

function insertSome(chunks: readonly Chunk[]): Step {
  const rows = chunks.map((_, row) => {
    const parameter = (column: number) => `$${row * COLUMNS + column}`
    return `(${parameter(1)}, to_timestamp(${parameter(2)}::float8), ${[3, 4, 5, 6, 7, 8].map(parameter).join(', ')})`
  })
  return {
    text: `insert into log_chunks (tenant_id, day, first_ms, last_ms, lines, levels, services, data) values ${rows.join(', ')}`,
    values: chunks.flatMap(({ tenantId, dayMs, firstMs, lastMs, lines, levels, services, data }) => [
      tenantId,
      dayMs / 1000,
      firstMs,
      lastMs,
      lines,
      levels,
      services,
      data,
    ]),
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
