import { bytesField, doubleField, varintField } from '../../src/testing/protobuf-fields.js'

/** The time of every line: 2025-11-30T10:53:19.123456789Z in nanoseconds. */
export const TIME_NS = 1_764_499_999_123_456_789n
const TIME_TEXT = '2025-11-30T10:53:19.123456789Z'

/** A line that a search has found. */
export interface FoundLine {
  readonly time: string
  readonly message: string
  readonly flags: readonly string[]
  readonly attributes: Readonly<Record<string, unknown>>
}

/** A value that is easily lost or changed, in the forms of the wires. Without a form the wires of that form cannot express it. */
export interface DifficultValue {
  readonly title: string
  /** The bytes of the message, when it is not valid JavaScript text. */
  readonly bytes?: Buffer
  /** What a client in JavaScript is given. */
  readonly js?: { readonly message: string; readonly attributes?: Record<string, unknown> }
  /** Members of a JSON object, as text. */
  readonly json?: string
  /** Attributes of OTLP in JSON, as text, and in protobuf. */
  readonly otlpJson?: string
  readonly otlp?: readonly Buffer[]
  /** Names and texts, for wires that have no other values. */
  readonly pairs?: readonly (readonly [string, string])[]
  /** Members of a msgpack map. */
  readonly msgpack?: readonly Buffer[]
  /** What became of it. */
  readonly judge: (line: FoundLine) => string
}

const keyValue = (key: string, value: Buffer) => Buffer.concat([bytesField(1, key), bytesField(2, value)])
const messageIs = (wanted: string) => (line: FoundLine) =>
  line.message === wanted ? 'kept' : `changed: ${describe(line.message)}`
const describe = (value: unknown) => {
  const text = JSON.stringify(value) ?? 'absent'
  return text.length > 60 ? `${text.length} characters of JSON` : `\`${text.replaceAll('|', '\\|')}\``
}
const judgeValue = (wanted: unknown) => (line: FoundLine) => {
  const { v } = line.attributes
  if (JSON.stringify(v) === JSON.stringify(wanted)) return 'kept'
  return String(v) === String(wanted) ? 'kept, as text' : `changed: ${describe(v)}`
}

const LONG = 'word '.repeat(209_715).padEnd(1_048_576, '.')
const RIGHT_TO_LEFT = 'שלום \u202eעולם\u202c مرحبا'
const DEEP_LEVELS = 40
const deepJson = `${'{"a":'.repeat(DEEP_LEVELS)}1${'}'.repeat(DEEP_LEVELS)}`

function deepOtlp(levels: number): Buffer {
  let value = varintField(3, 1n)
  for (let level = 0; level < levels; level++) value = bytesField(6, bytesField(1, keyValue('a', value)))
  return value
}

export const DIFFICULT_VALUES: readonly DifficultValue[] = [
  {
    title: 'A time with nanoseconds',
    js: { message: 'm' },
    judge: ({ time }) => (time === TIME_TEXT ? 'kept' : `changed: ${describe(time)}`),
  },
  {
    title: 'A message with bytes that are not UTF-8',
    bytes: Buffer.from([0x61, 0xff, 0xfe, 0x62]),
    judge: ({ message, flags }) => {
      if (message !== 'a\ufffd\ufffdb') return `changed: ${describe(message)}`
      return flags.includes('utf8Repaired') ? 'changed: U+FFFD for each, flag `utf8Repaired`' : 'changed without a flag'
    },
  },
  { title: 'A message with a NUL character', js: { message: 'a\0b' }, judge: messageIs('a\0b') },
  {
    title: 'An integer of 16 digits that a double cannot hold, 9007199254740993',
    json: '"v":9007199254740993',
    otlpJson: '{"key":"v","value":{"intValue":"9007199254740993"}}',
    otlp: [keyValue('v', varintField(3, 9_007_199_254_740_993n))],
    pairs: [['v', '9007199254740993']],
    msgpack: [Buffer.from([0xa1, 0x76, 0xcf, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01])],
    judge: judgeValue('9007199254740993'),
  },
  {
    title: 'The number 1e400, which is beyond a double',
    json: '"v":1e400',
    otlpJson: '{"key":"v","value":{"doubleValue":1e400}}',
    otlp: [keyValue('v', doubleField(4, Number.POSITIVE_INFINITY))],
    pairs: [['v', '1e400']],
    judge: judgeValue('1e400'),
  },
  {
    title: 'A name that occurs twice',
    json: '"v":1,"v":2',
    otlpJson: '{"key":"v","value":{"intValue":"1"}},{"key":"v","value":{"intValue":"2"}}',
    otlp: [keyValue('v', varintField(3, 1n)), keyValue('v', varintField(3, 2n))],
    pairs: [
      ['v', '1'],
      ['v', '2'],
    ],
    msgpack: [Buffer.from([0xa1, 0x76, 0x01]), Buffer.from([0xa1, 0x76, 0x02])],
    judge: ({ attributes, flags }) => {
      const { v, 'v#2': second } = attributes
      if (String(v) !== '1' || String(second) !== '2') return `changed: ${describe({ v, 'v#2': second })}`
      return flags.includes('keysRepeated') ? 'both kept, as `v` and `v#2`, flag `keysRepeated`' : 'both kept, no flag'
    },
  },
  {
    title: 'An empty name',
    js: { message: 'm', attributes: { '': 'x' } },
    json: '"":"x"',
    otlpJson: '{"key":"","value":{"stringValue":"x"}}',
    otlp: [keyValue('', bytesField(1, 'x'))],
    pairs: [['', 'x']],
    msgpack: [Buffer.from([0xa0, 0xa1, 0x78])],
    judge: ({ attributes }) => (attributes[''] === 'x' ? 'kept' : 'lost'),
  },
  {
    title: 'A message of 1 MiB',
    js: { message: LONG },
    judge: ({ message, flags }) => {
      if (message === LONG) return 'kept'
      const isStart = LONG.startsWith(message)
      if (!isStart) return `changed: ${describe(message)}`
      return `cut to fit 1 MiB with the attributes${flags.includes('cut') ? ', flag `cut`' : ', no flag'}`
    },
  },
  { title: 'A message with CR and LF', js: { message: 'a\r\nb\rc\nd' }, judge: messageIs('a\r\nb\rc\nd') },
  {
    title: 'Right-to-left text with control characters',
    js: { message: RIGHT_TO_LEFT },
    judge: messageIs(RIGHT_TO_LEFT),
  },
  {
    title: 'An object of 40 levels',
    js: { message: 'm', attributes: { v: JSON.parse(deepJson) } },
    json: `"v":${deepJson}`,
    otlpJson: `{"key":"v","value":${deepOtlpJson(DEEP_LEVELS)}}`,
    otlp: [keyValue('v', deepOtlp(DEEP_LEVELS))],
    msgpack: [Buffer.concat([Buffer.from([0xa1, 0x76]), deepMsgpack(DEEP_LEVELS)])],
    judge: ({ attributes, flags }) => {
      let value: unknown = attributes.v
      let levels = 0
      for (; typeof value === 'object' && value !== null; levels++) value = (value as { a: unknown }).a
      if (levels === DEEP_LEVELS) return 'kept'
      const flag = flags.includes('depthCut') ? ', flag `depthCut`' : ', no flag'
      return `${levels} levels kept, the rest as ${typeof value === 'string' ? 'text' : describe(value)}${flag}`
    },
  },
]

function deepOtlpJson(levels: number): string {
  return `${'{"kvlistValue":{"values":[{"key":"a","value":'.repeat(levels)}{"intValue":"1"}${'}]}}'.repeat(levels)}`
}

function deepMsgpack(levels: number): Buffer {
  return Buffer.concat([...Array.from({ length: levels }, () => Buffer.from([0x81, 0xa1, 0x61])), Buffer.from([1])])
}
