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

/** Columns that are small and mostly read together. */
const META = 'meta'

/** Lines in the store: of several services, each with its place in the stream, which identifies it. */
export const chunkSchema = defineSchema({
  ...LINE_COLUMNS,
  severity: { ...LINE_COLUMNS.severity, segment: META },
  severityText: { ...LINE_COLUMNS.severityText, segment: META },
  host: { ...LINE_COLUMNS.host, segment: META },
  flags: { ...LINE_COLUMNS.flags, segment: META },
  originalBytes: { ...LINE_COLUMNS.originalBytes, segment: META },
  service: { type: 'keyword', segment: META },
  partition: { type: 'int', segment: 'place' },
  ordinal: { type: 'int', segment: 'place' },
})
