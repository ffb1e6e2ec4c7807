import { type DeadLetter, decodeEventRow, EVENT_TYPES, RecordBatchReader } from '@millrace/contracts'
import { deadLetters } from '@millrace/database'

/** The columns of a dead letter that the API shows or replays. */
export const DEAD_LETTER = {
  id: deadLetters.id,
  stream: deadLetters.stream,
  partition: deadLetters.partition,
  position: deadLetters.position,
  messageId: deadLetters.messageId,
  code: deadLetters.code,
  reason: deadLetters.reason,
  state: deadLetters.state,
  createdAt: deadLetters.createdAt,
  record: deadLetters.record,
}

/** A row with the columns `DEAD_LETTER`. */
export type DeadLetterRow = Pick<typeof deadLetters.$inferSelect, keyof typeof DEAD_LETTER>

/** A dead letter as the API returns it. */
export function toDeadLetter(row: DeadLetterRow): DeadLetter {
  return {
    id: String(row.id),
    stream: row.stream,
    partition: row.partition,
    position: row.position,
    messageId: row.messageId,
    code: row.code,
    reason: row.reason,
    state: row.state,
    createdAt: row.createdAt,
    recordJson: toRecordJson(row.record),
  }
}

/**
 * The record as JSON with the field names of the API; empty when it cannot be read. Properties and context that are
 * not valid JSON are shown as text.
 */
function toRecordJson(record: Buffer): string {
  try {
    const reader = new RecordBatchReader(record)
    const row = decodeEventRow(record, reader.rowRange(0).start)
    return JSON.stringify({
      message_id: row.messageId,
      type: EVENT_TYPES[row.type] ?? row.type,
      event: row.event,
      user_id: row.userId,
      anonymous_id: row.anonymousId,
      timestamp: new Date(row.timestampMs).toISOString(),
      received_at: new Date(row.receivedAtMs).toISOString(),
      properties: toValue(row.properties),
      context: toValue(row.context),
    })
  } catch (error) {
    if (error instanceof RangeError) return ''
    throw error
  }
}

function toValue(json: string | null): unknown {
  if (json === null) return null
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}
