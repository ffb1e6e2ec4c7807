export { createBatchWriter } from './batch/batch-writer.js'
export { readBatch } from './batch/read-batch.js'
export { columnStoreErrors } from './column-store-errors.js'
export { type ColumnDefinition, type ColumnDefinitions, defineSchema } from './schema.js'
