import { isBatch, openBatch } from '../batch/read-batch.js'
import type { ColumnReader } from '../columns/column-reader.js'
import type { ColumnDefinitions } from '../schema.js'
import { openChunkFile } from './open-chunk.js'

/**
 * Opens a chunk file or a batch. The schema is made from the names in it.
 * @throws COLUMN_CHUNK_CORRUPT or COLUMN_BATCH_CORRUPT
 */
export function openColumnFile(bytes: Uint8Array): ColumnReader<ColumnDefinitions> {
  return isBatch(bytes) ? openBatch(bytes) : openChunkFile(bytes)
}
