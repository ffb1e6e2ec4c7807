import { Writable } from 'node:stream'
import winston from 'winston'
import type { LogEntry } from './log-entry.js'
import { type LogLevel, logLevelRanks } from './log-level.js'
import type { LogFields } from './logger.js'

const lineSymbol = Symbol.for('message')
type Info = winston.Logform.TransformableInfo & { entry: LogEntry; [lineSymbol]?: string }

/** Turns entries into JSON lines through a winston logger of its own. */
export interface LineOutput {
  put(entry: LogEntry): void
  /** Everything put since the last call, one line each. */
  take(): string
}

export function createWinstonOutput(): LineOutput {
  let lines = ''
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      lines += chunk
      done()
    },
  })
  const logger = winston.createLogger({
    levels: winstonLevels(),
    // The threshold was applied before an entry came here.
    level: 'debug',
    format: winston.format((info) => {
      const entry = (info as Info).entry
      ;(info as Info)[lineSymbol] = JSON.stringify(toRecord(entry))
      return info
    })(),
    transports: [new winston.transports.Stream({ stream, eol: '\n' })],
  })
  return {
    // winston's streams hand an object on before write returns, since `stream` answers at once.
    put: (entry) => logger.write({ level: entry.level, message: '', entry }),
    take: () => {
      const taken = lines
      lines = ''
      return taken
    },
  }
}

/** winston counts the other way round: 0 is the most severe. */
function winstonLevels(): Record<LogLevel, number> {
  const entries = Object.entries(logLevelRanks) as [LogLevel, number][]
  return Object.fromEntries(entries.map(([level, rank]) => [level, 6 - rank])) as Record<LogLevel, number>
}

/** Names the logger gives itself; a caller's field of the same name must not forge them. */
const ownNames = new Set(['timestamp', 'level', 'message', 'service'])

function toRecord({ time, level, message, bound, context, fields, masker }: LogEntry): Record<string, unknown> {
  const record: Record<string, unknown> = {
    timestamp: new Date(time).toISOString(),
    level,
    message: masker.text(String(message)),
    ...bound,
  }
  if (context !== undefined) {
    if (context.traceId !== undefined) record.trace_id = context.traceId
    if (context.spanId !== undefined) record.span_id = context.spanId
    if (context.requestId !== undefined) record.request_id = context.requestId
    if (context.tenant !== undefined) record.tenant = context.tenant
    if (context.userId !== undefined) record.user_id = masker.text(context.userId)
  }
  if (fields !== undefined) addFields(record, fields, masker)
  return record
}

function addFields(record: Record<string, unknown>, fields: LogFields, masker: LogEntry['masker']): void {
  for (const name in fields) {
    const value = fields[name]
    if (value === undefined) continue
    record[ownNames.has(name) ? `field_${name}` : name] = typeof value === 'object' ? value : masker.field(name, value)
  }
}
