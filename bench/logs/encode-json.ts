import { type LogLine, toNdjson } from '../lib/log-corpus.js'
import { placeholderOf } from './line-times.js'

const NANOSECONDS = placeholderOf('nanoseconds').toString()
const DATE = placeholderOf('date').toString()
const SEVERITY_NUMBERS: Readonly<Record<string, number>> = { debug: 5, info: 9, warn: 13, error: 17, fatal: 21 }

/** The number of OpenTelemetry for a level of the corpus. */
export function severityOf(level: string): number {
  return SEVERITY_NUMBERS[level] ?? 0
}

/** Runs of lines with the same service and host, in their order: what shares a resource. */
export function groupByOrigin(lines: readonly LogLine[]): (readonly LogLine[])[] {
  const groups: LogLine[][] = []
  for (const line of lines) {
    const last = groups.at(-1)
    const [first] = last ?? []
    if (last !== undefined && first?.service === line.service && first.host === line.host) last.push(line)
    else groups.push([line])
  }
  return groups
}

/** An ExportLogsServiceRequest as the JSON of an exporter. */
export function otlpJson(lines: readonly LogLine[]): string {
  const resourceLogs = groupByOrigin(lines).map((group) => {
    const [{ service, host }] = group as [LogLine]
    return {
      resource: { attributes: [text('service.name', service), text('host.name', host)] },
      scopeLogs: [{ scope: { name: 'app' }, logRecords: group.map(toRecord) }],
    }
  })
  return JSON.stringify({ resourceLogs })
}

function toRecord({ level, message, traceId, spanId, ...fields }: LogLine): object {
  const { userId, requestId, httpStatus, durationMs } = fields
  return {
    timeUnixNano: NANOSECONDS,
    severityNumber: severityOf(level),
    severityText: level,
    body: { stringValue: message },
    attributes: [
      ...(userId === '' ? [] : [text('user_id', userId)]),
      ...(requestId === '' ? [] : [text('request_id', requestId)]),
      ...(httpStatus === '' ? [] : [{ key: 'http.status', value: { intValue: httpStatus } }]),
      ...(durationMs === '' ? [] : [{ key: 'duration_ms', value: { doubleValue: Number(durationMs) } }]),
    ],
    ...(traceId !== '' && { traceId, spanId }),
  }
}

function text(key: string, stringValue: string): object {
  return { key, value: { stringValue } }
}

/** A line as NDJSON, with its line feed. */
export function ndjsonLine(line: LogLine): string {
  return `${toNdjson(line).replace(/"ts":"[^"]*"/, `"ts":"${DATE}"`)}\n`
}

/** An item of a bulk request. */
export function bulkItem(line: LogLine): string {
  return `{"create":{}}\n${ndjsonLine(line)}`
}
