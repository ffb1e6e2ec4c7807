import { decodeEventRow } from '@millrace/contracts'
import type { Step } from '@millrace/database'
import type { RecordRef } from '../store/prepared-batch.js'
import { activityStep } from './activity-step.js'
import { loginStep } from './login-step.js'
import { sessionStep } from './session-step.js'
import { readTypedEvent, type TypedEvent } from './typed-event.js'
import { createReadUserAgent } from './user-agent.js'

/**
 * Returns a function that makes the statements that write logins, activities and sessions. The consumer parses the
 * JSON of these few records only. PostgreSQL cannot refuse their rows: characters that it cannot store are replaced,
 * and malformed fields count as missing.
 */
export function createTypedSteps(): (records: readonly RecordRef[]) => Step[] {
  const readUserAgent = createReadUserAgent()
  return (records) => {
    if (records.length === 0) return []
    const events = records.flatMap(({ frame: { view }, index }): TypedEvent[] => {
      if (view === null) return []
      const row = decodeEventRow(view.reader.payload, view.reader.rowRange(index).start)
      return [readTypedEvent(row, readUserAgent)]
    })
    const named = (name: string): TypedEvent[] => events.filter(({ row }) => row.event === name)
    const logins = named('$login')
    const activities = named('$activity')
    const session = sessionStep(events)
    return [
      ...(logins.length > 0 ? [loginStep(logins)] : []),
      ...(activities.length > 0 ? [activityStep(activities)] : []),
      ...(session !== null ? [session] : []),
    ]
  }
}
