import type { Archive, SegmentDraft } from '@millrace/archive'
import { ADVISORY_LOCKS } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import { LEVEL_NAMES } from '../records/severity.js'
import type { ArchiveMetrics } from './archive-metrics.js'
import {
  type ArchiveStatus,
  markArchived,
  type PendingHour,
  readChunkColumns,
  readChunks,
  readPending,
  writeStatus,
} from './archive-statements.js'
import { CHUNKS_KIND, type ChunkRow, decodeChunkRows, encodeChunkRows } from './chunk-payload.js'

export interface ArchiverConfig {
  readonly stream: string
  /** A segment is sealed when its oldest chunk has waited this long, in s, */
  readonly sealSeconds: number
  /** or when the chunks of an hour have this many lines. Default 200,000: about 8 MiB. */
  readonly sealLines?: number
  /** Chunks of a segment end after this many bytes. Default 8 MiB. */
  readonly segmentBytes?: number
}

export interface ArchiverDeps {
  readonly database: Database
  /** Opens the archive, or returns the open one. */
  readonly open: () => Promise<Archive>
  readonly metrics: ArchiveMetrics
  readonly logger: Logger
}

const SEAL_LINES = 200_000
const SEGMENT_BYTES = 8 * 1024 * 1024
/** Something that did not work for this long needs a person. */
const ALARM_SECONDS = 3600

/**
 * Returns a function that archives what is due: chunks that are not archived yet, by tenant and hour of arrival, oldest first. When several processes call it
 * at once, one works and the others return. It rejects when the object store or the database does not take a segment; the chunks then wait in log_chunks,
 * from which nothing is dropped before it is archived. An ERROR is logged when chunks have waited for an hour longer than they should.
 */
export function createArchiver(config: ArchiverConfig, deps: ArchiverDeps): (signal: AbortSignal) => Promise<void> {
  const alarm = new LagAlarm(deps.logger)
  return async function archiveDue(signal) {
    const connection = await deps.database.connection({ applicationName: 'millrace-archive' })
    try {
      const { rows } = await connection.query<{ locked: boolean }>(
        'select pg_try_advisory_lock(hashtext($1)) as locked',
        [ADVISORY_LOCKS.logArchive],
      )
      if (rows[0]?.locked !== true) return
      const failure = await archiveAll(config, deps, signal).catch((error: unknown) => error as Error)
      const pending = await readPending(deps.database)
      const oldestSeconds = pending.length === 0 ? undefined : Math.max(...pending.map((hour) => hour.oldestSeconds))
      const status = {
        pendingLines: pending.reduce((sum, { lines }) => sum + lines, 0),
        oldestSeconds,
        isLate: (oldestSeconds ?? 0) > config.sealSeconds + ALARM_SECONDS,
        reason: failure?.message,
      }
      deps.metrics.noteStatus(status)
      alarm.note(status)
      await writeStatus(deps.database, config.stream, status)
      if (failure !== undefined) throw failure
    } finally {
      await connection.close()
    }
  }
}

async function archiveAll(config: ArchiverConfig, deps: ArchiverDeps, signal: AbortSignal): Promise<undefined> {
  const { sealSeconds, sealLines = SEAL_LINES } = config
  const isDue = ({ lines, oldestSeconds }: PendingHour) => oldestSeconds >= sealSeconds || lines >= sealLines
  const failures: unknown[] = []
  // A tenant whose segments cannot be written must not hold up the others.
  for (const hour of (await readPending(deps.database)).filter(isDue)) {
    try {
      while (!signal.aborted && (await archiveSegment(config, deps, hour)));
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}

/** Archives one segment of an hour. Returns whether there may be another one. */
async function archiveSegment(
  { stream, segmentBytes = SEGMENT_BYTES }: ArchiverConfig,
  { database, open, metrics }: ArchiverDeps,
  hour: PendingHour,
): Promise<boolean> {
  const { tenantId } = hour
  const chain = { tenantId, stream, day: hour.hour.slice(0, 10) }
  const archive = await open()
  const result = await archive.append(chain, {
    draft: async () => toDraft(hour.hour, await takeChunks(database, hour, segmentBytes)),
    effects: ({ payload }) => [markArchived(tenantId, decodeChunkRows(payload))],
  })
  if (result.kind === 'appended') metrics.noteSegment(result.segment.entry)
  return result.kind !== 'nothing'
}

async function takeChunks(database: Database, hour: PendingHour, segmentBytes: number): Promise<ChunkRow[]> {
  const columns = await readChunkColumns(database)
  const taken: ChunkRow[] = []
  let bytes = 0
  for (;;) {
    const rows = await readChunks(database, {
      ...hour,
      columns,
      afterId: (taken.at(-1)?.chunk_id as bigint | undefined) ?? 0n,
    })
    for (const row of rows) {
      taken.push(row)
      for (const value of Object.values(row)) if (Buffer.isBuffer(value)) bytes += value.length
      if (bytes >= segmentBytes) return taken
    }
    if (rows.length === 0) return taken
  }
}

function toDraft(hour: string, rows: readonly ChunkRow[]): SegmentDraft | undefined {
  if (rows.length === 0) return undefined
  const numbers = (column: string) => rows.map((row) => Number(row[column]))
  const levels = numbers('levels').reduce((all, one) => all | one, 0)
  return {
    facts: {
      kind: CHUNKS_KIND,
      hour,
      records: numbers('lines').reduce((sum, lines) => sum + lines, 0),
      firstMs: Math.min(...numbers('first_ms')),
      lastMs: Math.max(...numbers('last_ms')),
      labels: LEVEL_NAMES.filter((_, index) => ((levels >> index) & 1) === 1),
    },
    payload: encodeChunkRows(rows),
  }
}

/** Raises an alarm while chunks wait for much longer than they should. */
class LagAlarm {
  readonly #logger: Logger
  #isRaised = false

  constructor(logger: Logger) {
    this.#logger = logger
  }

  note({ oldestSeconds = 0, isLate, pendingLines, reason }: ArchiveStatus): void {
    if (isLate && !this.#isRaised)
      this.#logger.error('log lines are not archived in time: they wait in log_chunks, which grows meanwhile', {
        oldest_seconds: Math.round(oldestSeconds),
        lines: pendingLines,
        reason,
      })
    if (!isLate && this.#isRaised) this.#logger.info('log lines are archived in time again')
    this.#isRaised = isLate
  }
}
