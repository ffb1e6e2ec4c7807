import { createNotes, flagsOf } from '../../fields/decode-notes.js'
import { take } from '../../fields/log-fields.js'
import { MemberAdder, type Members } from '../../fields/member-adder.js'
import { LOG_FLAGS, type LogRecord } from '../../records/log-record.js'
import { type ExactTime, parseTime } from '../../records/parse-time.js'
import { severityOfSyslog } from '../../records/severity.js'
import { decodeText } from '../repaired-text.js'
import { guessYear } from './guess-year.js'
import type { SyslogFrame } from './syslog-framer.js'

const SEVERITIES = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug']
const FACILITIES = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
  'ntp',
  'audit',
  'alert',
  'clock',
  ...Array.from({ length: 8 }, (_, number) => `local${number}`),
]

const PRIORITY = /^<(\d{1,3})>/
const HEADER_5424 = /^1 (\S{1,64}) (\S{1,255}) (\S{1,255}) (\S{1,128}) (\S{1,64})(?: |$)/
const TIME_3164 =
  /^(?:[*.])?(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s+(\d{1,2}) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?:?(?: |$)/
const TIME_ISO = /^(\d{4}-\d\d-\d\dT\S{8,40}?):?(?: |$)/
/** The host has no brackets and no colon at its end, which tells it from a tag; an IPv6 address has colons inside. */
const HOST = /^([^\s[\]]{0,254}[^\s[\]:]) /
const TAG = /^([^\s[\]:]{1,255})(?:\[([^\]\s]{1,128})\])?:(?: |$)/
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec'

/**
 * The record of a message of RFC 5424, of RFC 3164 in its many dialects, or of any other text, which becomes the message of a record as it is. So no message
 * is refused.
 */
export function decodeSyslog({ bytes, originalBytes }: SyslogFrame, receivedAtMs: number): LogRecord {
  const { text, isRepaired } = decodeText(bytes)
  const priority = PRIORITY.exec(text)
  const number = Number(priority?.[1] ?? 256)
  const hasPriority = number < 192
  const rest = hasPriority ? text.slice(text.indexOf('>') + 1) : text
  const parts = (hasPriority ? parse5424(rest) : undefined) ?? parse3164(rest, hasPriority, receivedAtMs)
  const { attributes } = parts
  if (hasPriority) attributes['syslog.facility'] = FACILITIES[number >>> 3] as string
  const notes = { ...createNotes(), isRepaired, isRepeated: parts.isRepeated }
  return {
    timeMs: parts.time?.ms,
    timeSubNs: parts.time?.subNs ?? 0,
    severity: hasPriority ? severityOfSyslog(number & 7) : 0,
    severityText: hasPriority ? (SEVERITIES[number & 7] as string) : '',
    service: parts.app,
    host: parts.host,
    traceId: parts.traceId,
    spanId: parts.spanId,
    message: parts.message,
    attributes,
    flags: flagsOf(notes) | (originalBytes > 0 ? LOG_FLAGS.cut : 0),
    originalBytes,
  }
}

interface SyslogParts {
  readonly time: ExactTime | undefined
  readonly host: string
  readonly app: string
  readonly traceId: string
  readonly spanId: string
  readonly message: string
  readonly attributes: Members
  readonly isRepeated: boolean
}

function parse5424(text: string): SyslogParts | undefined {
  const header = HEADER_5424.exec(text)
  if (header === null) return undefined
  const [whole, time, host, app, process, id] = header.map((part) => (part === '-' ? '' : part)) as string[]
  const structured = readStructuredData(text, (whole as string).length)
  if (structured === undefined) return undefined
  const adder = new MemberAdder()
  if (process !== '') adder.add('syslog.procid', process)
  if (id !== '') adder.add('syslog.msgid', id)
  const traceId =
    take(structured.data, ['opentelemetry.trace_id', 'trace.trace_id'], (value) => readHex(value, 32)) ?? ''
  const spanId = take(structured.data, ['opentelemetry.span_id', 'trace.span_id'], (value) => readHex(value, 16)) ?? ''
  if (Object.keys(structured.data).length > 0) adder.add('syslog.structured_data', structured.data)
  const parsed = time === '' ? undefined : parseTime(time)
  if (parsed === undefined && time !== '') adder.add('syslog.timestamp', time)
  const message = text.slice(structured.end)
  return {
    time: parsed,
    host: host as string,
    app: app as string,
    traceId,
    spanId,
    message: message.startsWith('\ufeff') ? message.slice(1) : message,
    attributes: adder.members,
    isRepeated: structured.isRepeated,
  }
}

function readHex(value: unknown, digits: number): string | undefined {
  const isHex =
    typeof value === 'string' && value.length === digits && /^[0-9a-fA-F]+$/.test(value) && !/^0+$/.test(value)
  return isHex ? value.toLowerCase() : undefined
}

const ELEMENT = /\[([^\s=\]"]{1,255})/y
const PARAMETER = / +([^\s=\]"]{1,255})="((?:[^"\\]|\\[\s\S])*)"/y
const ELEMENT_END = / *\]/y

/** Undefined when there is none and no `-` in its place. `end` is where the message begins. */
function readStructuredData(
  text: string,
  start: number,
): { data: Members; end: number; isRepeated: boolean } | undefined {
  const elements = new MemberAdder()
  if (text[start] === '-' && (text[start + 1] ?? ' ') === ' ')
    return { data: elements.members, end: start + 2, isRepeated: false }
  let at = start
  let isRepeated = false
  const match = (expression: RegExp) => {
    expression.lastIndex = at
    const found = expression.exec(text)
    if (found !== null) at = expression.lastIndex
    return found
  }
  for (let element = match(ELEMENT); element !== null; element = match(ELEMENT)) {
    const parameters = new MemberAdder()
    for (let found = match(PARAMETER); found !== null; found = match(PARAMETER))
      parameters.add(found[1] as string, (found[2] as string).replaceAll(/\\(["\\\]])/g, '$1'))
    if (match(ELEMENT_END) === null) return undefined
    isRepeated ||= parameters.isRepeated
    elements.add(element[1] as string, parameters.members)
  }
  if (at === start || (at < text.length && text[at] !== ' ')) return undefined
  return { data: elements.members, end: at + 1, isRepeated: isRepeated || elements.isRepeated }
}

function parse3164(text: string, hasPriority: boolean, receivedAtMs: number): SyslogParts {
  const time = readTime(text, receivedAtMs)
  // Without a priority and a time there is no sign that the text is syslog at all.
  let rest = text.slice(time.length)
  const attributes = new MemberAdder()
  let host = ''
  let app = ''
  if (time.length > 0 || hasPriority) {
    const tagFirst = TAG.exec(rest)
    if (tagFirst === null && time.length > 0) {
      host = HOST.exec(rest)?.[1] ?? ''
      rest = rest.slice(host === '' ? 0 : host.length + 1)
    }
    const tag = TAG.exec(rest)
    if (tag !== null) {
      app = tag[1] as string
      if (tag[2] !== undefined) attributes.add('syslog.procid', tag[2])
      rest = rest.slice(tag[0].length)
    }
  }
  return {
    time: time.value,
    host,
    app,
    traceId: '',
    spanId: '',
    message: rest,
    attributes: attributes.members,
    isRepeated: false,
  }
}

function readTime(text: string, receivedAtMs: number): { value: ExactTime | undefined; length: number } {
  const iso = TIME_ISO.exec(text)
  const parsed = iso === null ? undefined : parseTime(iso[1])
  if (iso !== null && parsed !== undefined) return { value: parsed, length: iso[0].length }
  const match = TIME_3164.exec(text)
  if (match === null) return { value: undefined, length: 0 }
  const [whole, month, day, year, hour, minute, second, fraction = ''] = match as unknown as string[]
  const clock = {
    month: MONTHS.indexOf(month as string) / 3,
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
  }
  const ms = guessYear(clock, year === undefined ? undefined : Number(year), receivedAtMs)
  if (ms === undefined) return { value: undefined, length: 0 }
  const ns = Number(fraction.padEnd(9, '0'))
  return { value: { ms: ms + Math.floor(ns / 1e6), subNs: ns % 1e6 }, length: (whole as string).length }
}
