import { defineSchema } from '@millrace/column-store'

const LINE_COLUMNS = {
  time: { type: 'time' },
  severity: { type: 'int' },
  severityText: { type: 'keyword' },
  host: { type: 'keyword' },
  trace: { type: 'hex', bytes: 16, optional: true },
  span: { type: 'hex', bytes: 8, optional: true },
  message: { type: 'text' },
  attributes: { type: 'json', optional: true },
  flags: { type: 'int' },
  originalBytes: { type: 'int' },
} as const

/** The lines of one tenant and service in a frame. */
export const batchSchema = defineSchema(LINE_COLUMNS)

/** Lines in the store: of several services, each with its place in the stream, which identifies it. */
export const chunkSchema = defineSchema({
  ...LINE_COLUMNS,
  service: { type: 'keyword' },
  partition: { type: 'int' },
  ordinal: { type: 'int' },
})
