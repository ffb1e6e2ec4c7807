import {
  logTemplates,
  paths,
  personalTemplates,
  type Template,
  unicodeTemplates,
  verbs,
  words,
} from './log-templates.js'
import { createRandom, type Random } from './random.js'

/** One line. Texts are '' where the line has no such field. */
export interface LogLine {
  timeMs: number
  /** Nanoseconds after the milliseconds. */
  subNs: number
  level: string
  service: string
  host: string
  message: string
  /** 32 and 16 hexadecimal digits. */
  traceId: string
  spanId: string
  userId: string
  /** A uuid. */
  requestId: string
  /** Digits. */
  httpStatus: string
  /** A decimal number. */
  durationMs: string
}

const SERVICES: readonly (readonly [name: string, weight: number])[] = [
  ...([
    ['checkout', 18],
    ['payments', 12],
    ['cart', 10],
    ['catalog', 9],
    ['search', 8],
    ['auth', 8],
    ['users', 6],
  ] as const),
  ...([
    ['orders', 5],
    ['shipping', 4],
    ['inventory', 4],
    ['pricing', 3],
    ['notify', 3],
    ['mailer', 2],
    ['gateway', 2],
  ] as const),
  ...([
    ['recommend', 2],
    ['reviews', 1],
    ['media', 1],
    ['billing', 1],
    ['fraud', 0.7],
    ['scheduler', 0.3],
  ] as const),
]
const WEIGHT = SERVICES.reduce((sum, [, weight]) => sum + weight, 0)
const TEMPLATES_OF_SERVICE = 28
const START_MS = Date.UTC(2026, 10, 28)
/** 10 million lines in 24 hours. */
const MEAN_STEP_US = 8640
const RECENT_TRACES = 51

/**
 * Generates log lines like those of a shop with 20 services of very different size: 200 templates, trace and span ids on 60 % of lines, users by a
 * Zipf law on 40 %, request ids on 15 %, stack traces on 0.4 %, personal data on 0.5 %, other scripts than Latin on 1 %, ascending nanosecond times.
 * The same seed gives the same lines. About 21 bytes of a line are random bits, which no codec can save.
 */
export function createLogCorpus(seed: number): { next(): LogLine } {
  const random = createRandom(seed)
  const values = createValues(random)
  const templates = SERVICES.map(() => Array.from({ length: TEMPLATES_OF_SERVICE }, () => random.pick(logTemplates)))
  const traces: string[] = []
  let us = 0
  return { next: () => line() }

  function line(): LogLine {
    us += 1 + Math.floor(random.next() * 2 * MEAN_STEP_US)
    const service = pickService(random)
    const level = pickLevel(random)
    const hasRequest = random.next() < 0.3
    return {
      timeMs: START_MS + Math.floor(us / 1000),
      subNs: (us % 1000) * 1000 + random.between(0, 999),
      level,
      service: (SERVICES[service] as (typeof SERVICES)[number])[0],
      host: random.pick(values.hosts[service] as string[]),
      message: message(service, level),
      ...ids(),
      userId: random.next() < 0.4 ? values.of('user') : '',
      requestId: random.next() < 0.15 ? values.of('uuid') : '',
      httpStatus: hasRequest ? values.of('status') : '',
      durationMs: hasRequest ? values.of('dur') : '',
    }
  }

  function message(service: number, level: string): string {
    const kind = random.between(0, 999)
    const own = templates[service] as Template[]
    const template =
      kind < 5
        ? random.pick(personalTemplates)
        : kind < 15
          ? random.pick(unicodeTemplates)
          : (own[values.zipf(TEMPLATES_OF_SERVICE) % TEMPLATES_OF_SERVICE] as Template)
    const text = template.map((part) => (typeof part === 'string' ? part : values.of(part.value))).join('')
    const isTraced = (level === 'error' || level === 'fatal') && random.next() < 0.08
    return isTraced ? `Error: ${text}${stackTrace(random)}` : text
  }

  function ids(): { traceId: string; spanId: string } {
    if (random.next() >= 0.6) return { traceId: '', spanId: '' }
    const recent = traces.length >= RECENT_TRACES - 1 && random.next() < 0.7 ? random.pick(traces) : undefined
    const traceId = recent ?? values.hex(16)
    if (recent === undefined) traces[random.between(0, RECENT_TRACES - 1) % (traces.length + 1)] = traceId
    return { traceId, spanId: values.hex(8) }
  }
}

/** The line as NDJSON without its end, as a shipper would send it. */
export function toNdjson(line: LogLine): string {
  const { timeMs, subNs, level, service, host, message, traceId, spanId, userId, requestId, httpStatus, durationMs } =
    line
  const time = `${new Date(timeMs).toISOString().slice(0, -1)}${String(subNs).padStart(6, '0')}Z`
  const start = `{"ts":"${time}","level":"${level}","service":"${service}","host":"${host}","msg":${JSON.stringify(message)}`
  const trace = traceId === '' ? '' : `,"trace_id":"${traceId}","span_id":"${spanId}"`
  return `${start}${trace}${attributes({ userId, requestId, httpStatus, durationMs })}}`
}

/** The fields of a line that are no columns of their own, as a JSON object. */
export function attributesOf(line: LogLine): string {
  return `{${attributes(line).slice(1)}}`
}

type Attributes = Pick<LogLine, 'userId' | 'requestId' | 'httpStatus' | 'durationMs'>

function attributes({ userId, requestId, httpStatus, durationMs }: Attributes): string {
  const user = userId === '' ? '' : `,"user_id":"${userId}"`
  const request = requestId === '' ? '' : `,"request_id":"${requestId}"`
  return `${user}${request}${httpStatus === '' ? '' : `,"http.status":${httpStatus},"duration_ms":${durationMs}`}`
}

function pickService(random: Random): number {
  let rest = random.next() * WEIGHT
  for (const [service, [, weight]] of SERVICES.entries()) {
    rest -= weight
    if (rest < 0) return service
  }
  return 0
}

function pickLevel(random: Random): string {
  const place = random.between(0, 999)
  if (place < 80) return 'debug'
  if (place < 880) return 'info'
  if (place < 950) return 'warn'
  return place < 999 ? 'error' : 'fatal'
}

function stackTrace(random: Random): string {
  const frames = Array.from({ length: random.between(8, 19) }, (_, frame) => {
    const name = frame % 3 === 0 ? random.pick(words) : `${random.pick(words)}.${random.pick(verbs)}`
    const file = `/app/node_modules/${random.pick(words)}/lib/${random.pick(words)}.js`
    return `\n    at ${name} (${file}:${random.between(10, 609)}:${random.between(1, 60)})`
  })
  return frames.join('')
}

/** Makes the values that stand for the names in templates. */
function createValues(random: Random) {
  const hex = (bytes: number) => {
    let digits = ''
    while (digits.length < bytes * 2) digits += random.between(0, 0xffffffff).toString(16).padStart(8, '0')
    return digits.slice(0, bytes * 2)
  }
  /** Small numbers are frequent: the logarithm is uniform. */
  const zipf = (count: number) => Math.floor(count ** random.next()) - 1
  const hosts = SERVICES.map(([name], service) =>
    Array.from({ length: 3 + (service % 5) }, () => `${name}-${hex(4).slice(0, 5)}-${hex(4).slice(0, 5)}`),
  )
  const number = (low: number, high: number) => () => String(random.between(low, high))
  const oneOf =
    (...texts: string[]) =>
    () =>
      random.pick(texts)
  const makers: Record<string, () => string> = {
    ...networkValues(random, { hex, number, hosts }),
    ...personalValues(random, { hex, number }),
    user: () => `u_${100_000 + zipf(2_000_000)}`,
    pid: () => String(10_000 + zipf(80_000)),
    oid: number(700_000_000, 789_999_999),
    amt: () => (random.next() * 500).toFixed(2),
    cur: oneOf('EUR', 'USD', 'GBP'),
    prov: oneOf('stripe', 'adyen', 'paypal', 'dhl', 'ups'),
    track: () => `1Z${hex(8).toUpperCase()}`,
    n: number(1, 12),
    n2: number(0, 2999),
    w: () => random.pick(words),
  }
  return { hex, zipf, hosts, of: (name: string) => (makers[name] as () => string)() }
}

interface Makers {
  readonly hex: (bytes: number) => string
  readonly number: (low: number, high: number) => () => string
}

function networkValues(random: Random, { hex, number, hosts }: Makers & { readonly hosts: readonly string[][] }) {
  return {
    path: () => random.pick(paths).replace('{i}', () => number(0, 499_999)()),
    status: () => {
      const place = random.between(0, 99)
      if (place < 88) return '200'
      if (place < 93) return '404'
      if (place < 96) return '201'
      return place < 98 ? '500' : '503'
    },
    dur: () => {
      const ms = Math.exp(random.next() * 7)
      return ms.toFixed(ms < 10 ? 2 : 0)
    },
    bytes: () => String(100 + Math.floor(Math.exp(random.next() * 11))),
    ip: () => `10.${random.between(0, 31)}.${random.between(0, 255)}.${random.between(1, 254)}`,
    port: number(1024, 61_023),
    host: () => random.pick(random.pick(hosts)),
    hex8: () => hex(4),
    hex16: () => hex(8),
    uuid: () => {
      const h = hex(16)
      return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-a${h.slice(17, 20)}-${h.slice(20)}`
    },
    url: () => {
      const site = random.pick(['hooks.example.com', 'api.partner.io', 'cdn.shop.net'])
      return `https://${site}/${random.pick(words)}/${hex(6)}?t=${random.between(0, 99_999)}`
    },
    ver: () => `${random.between(0, 3)}.${random.between(0, 29)}.${random.between(0, 11)}`,
  }
}

function personalValues(random: Random, { hex, number }: Makers) {
  return {
    email: () => {
      const name = random.pick(['anna', 'bob', 'li.wei', 'j.smith', 'maria+news'])
      return `${name}${random.between(0, 999)}@${random.pick(['example.com', 'mail.example.org', 'firma.de'])}`
    },
    card: () => {
      const digits = `4${number(1_000_000, 9_999_999)()}${number(1_000_000, 9_999_998)()}`
      const whole = `${digits}${luhnDigit(digits)}`
      return random.next() < 0.5 ? whole : whole.replace(/(.{4})(?=.)/g, '$1 ')
    },
    phone: () => `+1 ${random.between(201, 900)}-${random.between(200, 899)}-${random.between(1000, 9999)}`,
    ssn: () => `${random.between(100, 599)}-${random.between(10, 89)}-${random.between(1000, 9999)}`,
    iban: () => 'DE89370400440532013000',
    jwt: () => `eyJhbGciOiJIUzI1NiJ9.${hex(20)}.${hex(16)}`,
  }
}

/** The digit that makes a card number pass the Luhn check. */
function luhnDigit(digits: string): number {
  const sum = digits
    .split('')
    .reverse()
    .reduce((total, digit, place) => {
      const doubled = Number(digit) * (place % 2 === 0 ? 2 : 1)
      return total + (doubled > 9 ? doubled - 9 : doubled)
    }, 0)
  return (10 - (sum % 10)) % 10
}
