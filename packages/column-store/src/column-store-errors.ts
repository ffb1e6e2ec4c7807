import { defineErrors } from '@millrace/contracts'

/** Every error of this package has one of these codes. */
export const columnStoreErrors = defineErrors({
  COLUMN_SCHEMA_INVALID: ['invalid', 'the schema of the columns is not valid'],
  COLUMN_SCHEMA_MISMATCH: ['invalid', 'the columns of the bytes are not those of the schema'],
  COLUMN_VALUE_INVALID: ['invalid', 'the value does not fit its column'],
  COLUMN_BATCH_FULL: ['exhausted', 'the batch takes no more rows'],
  COLUMN_BATCH_CORRUPT: ['internal', 'the bytes are not a valid batch of columns', { retryable: false }],
  COLUMN_SEGMENT_MISSING: ['internal', 'a segment that holds the column was not handed in', { retryable: false }],
  COLUMN_CODEC_UNAVAILABLE: ['internal', 'this process cannot decompress the segment', { retryable: false }],
  COLUMN_CHUNK_UNPROVEN: [
    'internal',
    'a chunk does not decode to the rows that it was made from',
    { retryable: false },
  ],
  COLUMN_CHUNK_CORRUPT: ['internal', 'the bytes are not a valid chunk of columns', { retryable: false }],
})
