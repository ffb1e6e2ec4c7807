import { createBatchWriter, readBatch } from '@millrace/column-store'
import type { StoredRecord } from '../records/record-limits.js'
import { batchSchema, chunkSchema } from './log-schema.js'

/** A stored line with its place in the stream of log lines. */
export interface LogLine extends StoredRecord {
  readonly partition: number
  /** Its number in its partition, from 0 in the order of acceptance. With the partition it identifies the line. */
  readonly ordinal: number
}

/** Where the values of a line are appended. */
export type LineAppenders = ReturnType<typeof createBatchWriter<typeof batchSchema.definitions>>['columns']

const batchWriter = createBatchWriter(batchSchema)
const chunkWriter = createBatchWriter(chunkSchema)
/** The attributes of a line that has none. */
export const NO_ATTRIBUTES = '{}'

/** The lines as a batch of columns. */
export function encodeBatch(lines: readonly StoredRecord[]): Buffer {
  for (const line of lines) {
    appendLine(batchWriter.columns, line)
    batchWriter.endRow()
  }
  return Buffer.from(batchWriter.finish())
}

/** The lines as columns of a chunk. */
export function encodeChunk(lines: readonly LogLine[]): Buffer {
  const { columns } = chunkWriter
  for (const line of lines) {
    appendLine(columns, line)
    columns.service.appendString(line.service)
    columns.partition.append(line.partition)
    columns.ordinal.append(line.ordinal)
    chunkWriter.endRow()
  }
  return chunkWriter.finish()
}

/** Appends the values of a line. */
export function appendLine(columns: LineAppenders, line: StoredRecord): void {
  columns.time.append(line.timeMs, line.timeSubNs)
  columns.severity.append(line.severity)
  columns.severityText.appendString(line.severityText)
  columns.host.appendString(line.host)
  if (line.traceId !== '') columns.trace.appendString(line.traceId)
  if (line.spanId !== '') columns.span.appendString(line.spanId)
  columns.message.appendString(line.message)
  if (line.attributesJson !== NO_ATTRIBUTES) columns.attributes.appendString(line.attributesJson)
  columns.flags.append(line.flags)
  columns.originalBytes.append(line.originalBytes)
}

/** What all lines of a batch have in common. */
export interface BatchPlace {
  readonly service: string
  readonly partition: number
  readonly firstOrdinal: number
}

/** Reads lines that `encodeBatch` wrote, in their order. @throws COLUMN_BATCH_CORRUPT, COLUMN_SCHEMA_MISMATCH */
export function decodeBatch(bytes: Buffer, { service, partition, firstOrdinal }: BatchPlace): LogLine[] {
  const batch = readBatch(batchSchema, bytes).decode()
  return Array.from({ length: batch.rows }, (_, row) => ({
    ...readLine((name) => batch.column(name), row),
    service,
    partition,
    ordinal: firstOrdinal + row,
  }))
}

/** Opens what `encodeBatch` wrote. @throws COLUMN_BATCH_CORRUPT, COLUMN_SCHEMA_MISMATCH */
export function openBatch(bytes: Buffer): ReturnType<typeof readBatch<typeof batchSchema.definitions>> {
  return readBatch(batchSchema, bytes)
}

/** Opens what `encodeChunk` wrote. @throws COLUMN_BATCH_CORRUPT, COLUMN_SCHEMA_MISMATCH */
export function openChunkBatch(bytes: Buffer): ReturnType<typeof readBatch<typeof chunkSchema.definitions>> {
  return readBatch(chunkSchema, bytes)
}

type LineColumns = ReturnType<typeof readBatch<typeof batchSchema.definitions>>

function readLine(column: LineColumns['column'], row: number): Omit<StoredRecord, 'service'> {
  const time = column('time').value(row)
  return {
    timeMs: time?.ms ?? 0,
    timeSubNs: time?.subNs ?? 0,
    severity: column('severity').value(row) ?? 0,
    severityText: column('severityText').value(row) ?? '',
    host: column('host').value(row) ?? '',
    traceId: column('trace').value(row) ?? '',
    spanId: column('span').value(row) ?? '',
    message: column('message').view(row)?.toString('utf8') ?? '',
    attributesJson: column('attributes').view(row)?.toString('utf8') ?? NO_ATTRIBUTES,
    flags: column('flags').value(row) ?? 0,
    originalBytes: column('originalBytes').value(row) ?? 0,
  }
}
