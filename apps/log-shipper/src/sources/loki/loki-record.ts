import { type DecodeNotes, flagsOf } from '../../fields/decode-notes.js'
import { recordOfFields, setAside } from '../../fields/log-fields.js'
import { createMembers, MemberAdder, type Members } from '../../fields/member-adder.js'
import type { LogRecord } from '../../records/log-record.js'
import type { ExactTime } from '../../records/parse-time.js'

/** The labels in which Loki looks for the name of a service when there is no service_name, in its order. */
const SERVICE_LABELS = [
  'app',
  'application',
  'name',
  'app_kubernetes_io_name',
  'container',
  'container_name',
  'k8s_container_name',
  'component',
  'workload',
  'job',
  'k8s_job_name',
]

/** One line of a stream. */
export interface LokiEntry {
  readonly time: ExactTime | undefined
  readonly line: string
  /** Structured metadata. */
  readonly metadata: Members
}

/**
 * The record of one entry: labels and structured metadata become attributes, except labels that name a field of a record (service, host, level,
 * trace id and so on, see log-fields.ts). The metadata counts before the labels. The line itself is not parsed.
 */
export function toLogRecord(labels: Members, { time, line, metadata }: LokiEntry, notes: DecodeNotes): LogRecord {
  const adder = new MemberAdder(Object.assign(createMembers(), metadata))
  for (const name in labels) adder.add(name, labels[name])
  const { members } = adder
  // The line is the message and its time the time, whatever the labels are called.
  const kept = setAside(members, 'time and message')
  const record = recordOfFields(members, notes)
  return {
    ...record,
    service: record.service || (findService(members) ?? ''),
    timeMs: time?.ms,
    timeSubNs: time?.subNs ?? 0,
    message: line,
    attributes: Object.assign(record.attributes, kept),
    flags: flagsOf({ ...notes, isRepeated: notes.isRepeated || adder.isRepeated }),
  }
}

/** The name stays a label as well: `container` and `job` mean more than the service. */
function findService(members: Members): string | undefined {
  for (const name of SERVICE_LABELS) {
    const value = members[name]
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}
