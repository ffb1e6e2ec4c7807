import { describe, expect, it } from '@jest/globals'
import { isMillraceError } from '@millrace/contracts'
import { createMasker } from '@millrace/masking'
import fc from 'fast-check'
import { RecordCollector } from '../batch/record-collector.js'
import type { LogRecord } from '../records/log-record.js'
import { CollectedRecords } from '../testing/collect-records.js'
import { compileRules } from './compile-rules.js'
import { ERROR_ATTRIBUTE } from './run-rules.js'
import { readSample } from './sample-line.js'
import { TransformingSink } from './transforming-sink.js'
import { tryRules } from './try-rules.js'
import { WorkBudget } from './work-budget.js'

const NOW = Date.UTC(2026, 10, 21)

function record(more: Partial<LogRecord> = {}): LogRecord {
  const empty = readSample('')
  if (typeof empty === 'string') throw new Error(empty)
  return { ...empty, ...more }
}

/** The records that are kept, and the counts. `steps` is the only rule when `rules` has no rules. */
async function run(rules: object, ...records: Partial<LogRecord>[]) {
  const document = Array.isArray(rules) ? { rules: [{ name: 'r', steps: rules }] } : rules
  const sink = new CollectedRecords()
  const transforming = new TransformingSink(await compileRules(document), sink)
  for (const one of records) transforming.add(record(one))
  return { records: sink.records, counts: transforming.counts }
}

async function one(rules: object, more: Partial<LogRecord>): Promise<LogRecord> {
  const { records } = await run(rules, more)
  expect(records).toHaveLength(1)
  return records[0] as LogRecord
}

const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown

async function faultsOf(document: unknown): Promise<unknown> {
  try {
    await compileRules(document)
  } catch (error) {
    if (isMillraceError(error) && error.code === 'TRANSFORMS_INVALID') return error.details?.errors
    throw error
  }
  return []
}

const COMBINED =
  '192.0.2.7 - frank [10/Oct/2026:13:55:36 -0700] "GET /a?b=1 HTTP/1.1" 200 2326 "http://example.com/" "Mozilla/5.0 (X11)"'

describe('rules for log lines', () => {
  it.each([
    [
      'JSON, with its numbers exact',
      { as: 'json' },
      '{"a":1,"b":{"c":[1]},"n":12345678901234567890}',
      { a: 1, b: { c: [1] }, n: '12345678901234567890' },
    ],
    [
      'logfmt, with quotes and keys without a value',
      { as: 'logfmt' },
      'level=info msg="a \\"b\\" c" cached took=12ms',
      { level: 'info', msg: 'a "b" c', cached: true, took: '12ms' },
    ],
    [
      'pairs with separators of their own',
      { as: 'key_value', pair_separator: ';', value_separator: ':' },
      'user: bob; role : "ops" ;;x',
      { user: 'bob', role: 'ops' },
    ],
    [
      'the named groups of an expression',
      { as: 'regex', pattern: '^(?P<verb>\\w+) (?P<path>\\S+)( (?P<none>x))?$' },
      'GET /a',
      { verb: 'GET', path: '/a' },
    ],
    [
      'the fields of a grok pattern, with types and nested names',
      { as: 'grok', pattern: '%{WORD:[http][verb]} %{NUMBER:took:float} %{INT:status:int}' },
      'GET 1.5 200',
      { 'http.verb': 'GET', took: 1.5, status: 200 },
    ],
    [
      'the combined log format of web servers',
      { as: 'grok', pattern: '%{COMBINEDAPACHELOG}' },
      COMBINED,
      {
        clientip: '192.0.2.7',
        ident: '-',
        auth: 'frank',
        timestamp: '10/Oct/2026:13:55:36 -0700',
        verb: 'GET',
        request: '/a?b=1',
        httpversion: '1.1',
        response: 200,
        bytes: 2326,
        referrer: '"http://example.com/"',
        agent: '"Mozilla/5.0 (X11)"',
      },
    ],
  ])('parse %s', async (_title, format, message, attributes) => {
    const line = await one([{ parse: { field: 'message', ...format } }], { message })
    expect(plain(line.attributes)).toEqual(attributes)
    expect(line.message).toBe(message)
  })

  it('parse the beginning of a syslog line by a pattern of the document', async () => {
    const line = await one(
      {
        patterns: { ORDER: 'order-%{INT:order:int}' },
        rules: [
          {
            name: 'r',
            steps: [
              { parse: { field: 'message', as: 'grok', pattern: '%{SYSLOGBASE} %{ORDER} %{GREEDYDATA:message}' } },
            ],
          },
        ],
      },
      { message: 'Nov  3 01:02:03 web-1 cron[42]: order-7 was paid' },
    )
    expect(line.message).toBe('was paid')
    expect(plain(line.attributes)).toEqual({
      timestamp: 'Nov  3 01:02:03',
      logsource: 'web-1',
      program: 'cron',
      pid: 42,
      order: 7,
    })
  })

  it('lift the fields that loggers write out of a parsed object, and leave the others of the line as they were', async () => {
    const message =
      '{"ts":"2026-11-20T01:02:03.000000004Z","level":"error","msg":"boom","trace_id":"0af7651916cd43dd8448eb211c80319c","user":"u"}'
    const line = await one([{ parse: { field: 'message', as: 'json', lift: true } }], {
      message,
      service: 'cart',
      host: 'web-1',
    })
    expect(plain(line)).toMatchObject({
      timeMs: Date.UTC(2026, 10, 20, 1, 2, 3),
      timeSubNs: 4,
      severity: 17,
      severityText: 'error',
      message: 'boom',
      traceId: '0af7651916cd43dd8448eb211c80319c',
      service: 'cart',
      host: 'web-1',
      attributes: { user: 'u' },
    })
  })

  it('rename, remove, set, look up, route, and map the severity and the time', async () => {
    const line = await one(
      [
        { rename: { from: 'attributes.usr', to: 'attributes.user.id' } },
        { rename: { from: 'attributes.none', to: 'attributes.x', optional: true } },
        { remove: { fields: ['attributes.a.b', 'attributes.secret', 'host'] } },
        { set: { field: 'attributes.env', value: { name: 'prod', tier: 1 } } },
        {
          set: { field: 'message', template: '{{service}}: {{message}} \\{{{{attributes.price}} {{attributes.none}}' },
        },
        { lookup: { field: 'attributes.region_id', table: { 1: 'eu', 2: 'us' }, to: 'attributes.region' } },
        { lookup: { field: 'attributes.none', table: {}, to: 'attributes.zone', default: 'unknown' } },
        { severity: { field: 'attributes.lvl', table: { W: 'warn' } } },
        { time: { field: 'attributes.at', format: 'unix_ms', remove_source: true } },
        { route: { service: 'shop-{{attributes.region}}' } },
      ],
      {
        message: 'sold',
        service: 'cart',
        host: 'web-1',
        attributes: {
          usr: 'u1',
          a: { b: 1, c: 2 },
          secret: 's',
          price: 5,
          region_id: 1,
          lvl: 'W',
          at: 1_700_000_000_123.5,
        },
      },
    )
    expect(plain(line)).toEqual({
      timeMs: 1_700_000_000_123,
      timeSubNs: 500_000,
      severity: 13,
      severityText: '',
      service: 'shop-eu',
      host: '',
      traceId: '',
      spanId: '',
      message: 'cart: sold {{5 ',
      attributes: {
        'user.id': 'u1',
        a: { c: 2 },
        price: 5,
        region_id: 1,
        lvl: 'W',
        env: { name: 'prod', tier: 1 },
        region: 'eu',
        zone: 'unknown',
      },
      flags: 0,
      originalBytes: 0,
    })
  })

  it('run only on lines that match, by service, level and conditions on fields', async () => {
    const match = (more: object) => ({
      rules: [{ name: 'r', match: more, steps: [{ set: { field: 'attributes.hit', value: true } }] }],
    })
    const line = {
      service: 'cart',
      severity: 17,
      message: 'payment of 12 failed',
      attributes: { http: { status: 503 }, 'a.b': 'x', n: '7' },
    }
    const holds: object[] = [
      { service: ['cart', 'shop'], level: 'error' },
      { min_level: 'warn' },
      { where: { field: 'attributes.http.status', gte: 500 } },
      {
        where: [
          { field: 'attributes.a.b', equals: 'x' },
          { field: 'attributes.n', lt: 8 },
        ],
      },
      { where: { field: 'message', matches: '(?i)PAYMENT of \\d+' } },
      { where: { field: 'level', gt: 'info' } },
      { where: { field: 'host', exists: false } },
      { where: { field: 'message', starts_with: 'pay' } },
      { where: { field: 'attributes.n', in: ['7', '8'] } },
    ]
    const fails: object[] = [
      { service: 'shop' },
      { level: ['info'] },
      { min_level: 'fatal' },
      { where: { field: 'attributes.http.status', lt: 500 } },
      { where: { field: 'attributes.none', equals: '' } },
      {
        where: [
          { field: 'attributes.a.b', equals: 'x' },
          { field: 'message', contains: 'never' },
        ],
      },
    ]
    for (const more of holds) expect([more, (await one(match(more), line)).attributes.hit]).toEqual([more, true])
    for (const more of fails) expect([more, (await one(match(more), line)).attributes.hit]).toEqual([more, undefined])
    const unless = { rules: [{ name: 'r', unless: { service: 'cart' }, steps: [{ drop: true }] }] }
    expect((await run(unless, line, { service: 'shop' })).counts).toMatchObject({ dropped: 1 })
  })

  it('keep the line as it was when a rule fails, say why without its values, and run the rules after it', async () => {
    const rules = {
      rules: [
        {
          name: 'first',
          steps: [{ set: { field: 'message', value: 'lost' } }, { parse: { field: 'host', as: 'json' } }],
        },
        { name: 'second', steps: [{ set: { field: 'attributes.seen', value: 1 } }] },
        { name: 'third', steps: [{ time: { field: 'attributes.a', format: 'iso8601' } }] },
      ],
    }
    const { records, counts } = await run(rules, {
      message: 'kept',
      host: 'canary-host',
      attributes: { a: 'canary-time' },
    })
    expect(plain(records[0])).toMatchObject({
      message: 'kept',
      attributes: {
        a: 'canary-time',
        seen: 1,
        [ERROR_ATTRIBUTE]:
          'rule first: step 2 (parse): the text is not a JSON object; rule third: step 1 (time): the value of the field is no time of this format',
      },
    })
    expect(counts).toEqual({ changed: 0, failed: 1, dropped: 0, sampled_out: 0 })
  })

  it('change nothing of the record that the source made, nor of objects that lines share', async () => {
    const shared = { b: { c: 1 } }
    const attributes = { a: shared, x: 1 }
    await one([{ set: { field: 'attributes.a.b.c', value: 2 } }, { remove: { fields: ['attributes.x'] } }], {
      attributes,
    })
    expect(attributes).toEqual({ a: { b: { c: 1 } }, x: 1 })
  })

  it('treat __proto__ and constructor as names like any other', async () => {
    const attributes = JSON.parse('{"__proto__":{"a":1},"constructor":2}') as Record<string, unknown>
    const line = await one(
      [
        { set: { field: 'attributes.__proto__.polluted', value: 'yes' } },
        { set: { field: 'attributes.toString.x', value: 'yes' } },
        { rename: { from: 'attributes.constructor', to: 'attributes.valueOf' } },
      ],
      { attributes },
    )
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect(JSON.stringify(line.attributes)).toBe(
      '{"__proto__":{"a":1,"polluted":"yes"},"toString.x":"yes","valueOf":2}',
    )
  })

  it('sample by trace: the lines of a trace are kept or dropped together, in every process, and the share is right', async () => {
    const traces = Array.from({ length: 4000 }, (_, i) => ({ traceId: i.toString(16).padStart(32, '0') }))
    const rules = [{ sample: { keep: 0.25 } }]
    const first = await run(
      rules,
      ...traces.flatMap((trace) => [
        { ...trace, message: 'a' },
        { ...trace, message: 'b' },
      ]),
    )
    const kept = first.records.filter(({ message }) => message === 'a').map(({ traceId }) => traceId)
    expect(first.records.filter(({ message }) => message === 'b').map(({ traceId }) => traceId)).toEqual(kept)
    expect(kept.length / traces.length).toBeGreaterThan(0.21)
    expect(kept.length / traces.length).toBeLessThan(0.29)
    expect((await run(rules, ...traces)).records.map(({ traceId }) => traceId)).toEqual(kept)
    expect((await run([{ sample: { keep: 0 } }], ...traces)).counts.sampled_out).toBe(4000)
    expect((await run([{ sample: { keep: 1, by: 'line' } }], ...traces)).counts.sampled_out).toBe(0)
  })

  it('report every mistake of a document with its place and, in a pattern or a template, the position', async () => {
    const steps = [
      { parse: { field: 'message', as: 'regex', pattern: 'a(?=b)' } },
      { parse: { field: 'message', as: 'grok', pattern: 'x %{NOPE:a}' } },
      { set: { field: 'attributes.a', template: 'a {{servis}}' } },
      { rename: { from: 'user', to: 'severity' } },
      { sample: { keep: 2 } },
      { dorp: true },
    ]
    expect(
      await faultsOf({
        rules: [
          { name: 'r', steps },
          { name: 'r', steps: [{ drop: true }], match: { level: 'loud' } },
        ],
      }),
    ).toEqual([
      {
        field: 'rules[0].steps[0].parse.pattern',
        message:
          'invalid or unsupported Perl syntax: (?=; patterns are of RE2, which has no look-ahead and no look-behind',
        position: 1,
      },
      { field: 'rules[0].steps[1].parse.pattern', message: 'there is no pattern with the name NOPE', position: 2 },
      {
        field: 'rules[0].steps[2].set.template',
        message: expect.stringMatching(/^servis is not a field/),
        position: 4,
      },
      { field: 'rules[0].steps[3].rename.from', message: expect.stringMatching(/Did you mean attributes.user\?$/) },
      { field: 'rules[0].steps[3].rename.to', message: 'the field severity cannot be written; use the step severity' },
      { field: 'rules[0].steps[4].sample.keep', message: 'must be a number from 0 to 1' },
      { field: 'rules[0].steps[5].dorp', message: expect.stringMatching(/^is unknown; the fields are parse, /) },
      { field: 'rules[1].match.level', message: expect.stringMatching(/^loud is not a level/) },
      { field: 'rules[1].name', message: 'is the name of another rule' },
    ])
  })

  it.each([
    ['no object', [], ''],
    ['no list', { rules: {} }, 'rules'],
    [
      'too many rules',
      { rules: Array.from({ length: 101 }, (_, i) => ({ name: `${i}`, steps: [{ drop: true }] })) },
      'rules',
    ],
    ['too many steps', { rules: [{ name: 'r', steps: new Array(21).fill({ drop: true }) }] }, 'rules[0].steps'],
    [
      'too many repetitions',
      {
        rules: [
          {
            name: 'r',
            match: { where: { field: 'message', matches: '((a{100}){100}){100}' } },
            steps: [{ drop: true }],
          },
        ],
      },
      'rules[0].match.where.matches',
    ],
    [
      'a program that is too large',
      {
        rules: [
          {
            name: 'r',
            match: {
              where: {
                field: 'message',
                matches: '(?:[a-z]{500}[0-9]{500}){1}(?:[a-z]{900}[0-9]{900}x{900}y{900}z{900})',
              },
            },
            steps: [{ drop: true }],
          },
        ],
      },
      'rules[0].match.where.matches',
    ],
    ['a pattern that contains itself', { patterns: { A: '%{B}', B: '%{A}' }, rules: [] }, 'patterns.A'],
    [
      'patterns that grow without bound',
      {
        patterns: Object.fromEntries(
          Array.from({ length: 19 }, (_, i) => [`P${i}`, i === 18 ? 'x' : `%{P${i + 1}}%{P${i + 1}}%{P${i + 1}}`]),
        ),
        rules: [],
      },
      'patterns.P0',
    ],
    [
      'two kinds in a step',
      { rules: [{ name: 'r', steps: [{ drop: true, sample: { keep: 1 } }] }] },
      'rules[0].steps[0]',
    ],
  ])('refuse a document with %s', async (_title, document, field) => {
    expect(await faultsOf(document)).toEqual(expect.arrayContaining([expect.objectContaining({ field })]))
  })

  it('accept or refuse any document without another error, and lose no line to any rules that were accepted', async () => {
    const value = fc.jsonValue({ maxDepth: 4 })
    const field = fc.constantFrom('message', 'attributes.a', 'attributes.a.b', 'service', 'level', 'x')
    const step = fc.oneof(
      fc.record({
        parse: fc.record({ field, as: fc.constantFrom('json', 'logfmt', 'key_value'), optional: fc.boolean() }),
      }),
      fc.record({ set: fc.record({ field, value }) }),
      fc.record({ set: fc.record({ field, template: fc.string() }) }),
      fc.record({ rename: fc.record({ from: field, to: field }) }),
      fc.record({ remove: fc.record({ fields: fc.array(field) }) }),
      fc.record({ severity: fc.record({ field }) }),
      fc.record({ time: fc.record({ field }) }),
      value,
    )
    const rule = fc.record({
      name: fc.string({ minLength: 1, maxLength: 9 }),
      steps: fc.array(step, { minLength: 1, maxLength: 3 }),
    })
    const document = fc.oneof(
      { weight: 9, arbitrary: fc.record({ rules: fc.array(rule, { maxLength: 3 }) }) },
      { weight: 1, arbitrary: value },
    )
    const line = fc.record({ message: fc.oneof(fc.string(), fc.json()), attributes: fc.dictionary(fc.string(), value) })
    await fc.assert(
      fc.asyncProperty(document, line, async (rules, given) => {
        if (((await faultsOf(rules)) as unknown[]).length > 0) return
        const { records } = await run(rules as object, given)
        expect(records).toHaveLength(1)
        expect(records[0]?.attributes[ERROR_ATTRIBUTE]).not.toBe('the rules failed unexpectedly')
      }),
      { numRuns: 300 },
    )
  })

  it('mask what rules make: no step lets a canary through in the line or in what is shown of a trial', async () => {
    const canary = 'canary.person@example.com'
    const [user, domain] = canary.split('@') as [string, string]
    const rules = await compileRules({
      rules: [
        {
          name: 'join',
          steps: [{ set: { field: 'attributes.joined', template: '{{attributes.user}}@{{attributes.domain}}' } }],
        },
        {
          name: 'move',
          steps: [
            { rename: { from: 'attributes.password', to: 'attributes.note' } },
            { set: { field: 'attributes.password', template: '{{attributes.note}}' } },
            { remove: { fields: ['attributes.note'] } },
          ],
        },
        {
          name: 'parse',
          steps: [
            { parse: { field: 'message', as: 'regex', pattern: '(?P<first>.*)' } },
            { set: { field: 'message', template: '{{attributes.joined}}' } },
          ],
        },
        {
          name: 'route',
          steps: [
            { route: { service: '{{attributes.joined}}' } },
            { set: { field: 'severity_text', template: '{{attributes.joined}}' } },
          ],
        },
        { name: 'fails', steps: [{ parse: { field: 'attributes.joined', as: 'json' } }] },
      ],
    })
    const masker = createMasker()
    const collector = new RecordCollector({ masker, receivedAtMs: NOW })
    const given = record({ message: `to ${canary}`, attributes: { user, domain, password: 'canary-secret-1' } })
    new TransformingSink(rules, collector).add(given)
    const batches = [...collector.finish()].flatMap(([service, all]) => [
      service,
      ...all.map(({ bytes }) => bytes.toString('utf8')),
    ])
    const stored = batches.join('\n')
    const shown = JSON.stringify(tryRules(rules, [given], { masker, nowMs: NOW }))
    for (const text of [stored, shown]) {
      expect(text).toContain('[email]')
      expect(text).not.toContain(canary)
      expect(text).not.toContain('canary-secret')
    }
  })

  it('show for each sample what every rule that matched changed', async () => {
    const rules = await compileRules({
      rules: [
        {
          name: 'parse',
          match: { service: 'cart' },
          steps: [{ parse: { field: 'message', as: 'logfmt', optional: true } }],
        },
        { name: 'other', match: { service: 'shop' }, steps: [{ drop: true }] },
        { name: 'bad', steps: [{ severity: { field: 'attributes.none' } }] },
        { name: 'gone', match: { where: { field: 'attributes.a', equals: '1' } }, steps: [{ drop: true }] },
      ],
    })
    const samples = [record({ service: 'cart', message: 'a=1' }), record({ service: 'cart', message: 'text' })]
    expect(plain(tryRules(rules, samples, { masker: createMasker(), nowMs: NOW }))).toMatchObject([
      {
        outcome: 'dropped',
        after: null,
        rules: [
          { rule: 'parse', outcome: 'applied', changes: { 'attributes.a': { before: null, after: '1' } } },
          {
            rule: 'bad',
            outcome: 'failed',
            error: 'step 1 (severity): the value of the field is no level',
            changes: {},
          },
          { rule: 'gone', outcome: 'dropped', changes: {} },
        ],
      },
      {
        outcome: 'kept',
        after: { message: 'text', attributes: { [ERROR_ATTRIBUTE]: expect.stringContaining('rule bad') } },
        rules: [{ rule: 'parse' }, { rule: 'bad' }],
      },
    ])
  })

  it('bound what one line may write and what the patterns of one request may cost', async () => {
    const grow = Array.from({ length: 20 }, () => ({
      set: { field: 'attributes.a', template: '{{attributes.a}}{{attributes.a}}x' },
    }))
    const grown = await one(grow, { attributes: { a: 'x' } })
    expect(grown.attributes).toMatchObject({
      a: 'x',
      [ERROR_ATTRIBUTE]: expect.stringContaining('more than 65536 characters'),
    })
    const long = await one([{ parse: { field: 'message', as: 'regex', pattern: '(?P<a>x)' } }], {
      message: 'y'.repeat(40_000),
    })
    expect(long.attributes[ERROR_ATTRIBUTE]).toContain('longer than the 32768 characters that patterns read')
    const budget = new WorkBudget()
    let taken = 0
    while (budget.takeMatch(30_000, 1_000)) taken++
    expect(taken).toBe(1)
    budget.nextLine()
    expect(budget.takeMatch(1_000, 200)).toBe(true)
  })
})
