import { commonProblems, inQuery, json, needs, ok, problem, reads } from './openapi-parts.js'
import { anyObject, count, listOf, type Node, nullable, object, ref, text, time } from './openapi-schemas.js'

const texts = (description: string): Node => ({
  oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
  description,
})

const match = object(
  {
    service: texts('Names of services, any of which the line has.'),
    host: texts('Names of hosts, any of which the line has.'),
    level: texts('Levels, any of which the line has.'),
    min_level: text('The lowest level.'),
    where: {
      description:
        'Conditions that must all hold. Each has a field and one of equals, in, contains, starts_with, ends_with, matches (an expression of RE2), exists, gt, gte, lt, lte.',
      type: ['array', 'object'],
    },
  },
  [],
)

const rule = object(
  {
    name: text('Name of the rule, unique among the rules.'),
    match: {
      ...match,
      description: 'What a line must have; everything in it must hold. Without it every line matches.',
    },
    unless: { ...match, description: 'What a line must not have.' },
    enabled: { type: 'boolean', default: true, description: 'False keeps the rule and does not run it.' },
    steps: {
      type: 'array',
      minItems: 1,
      maxItems: 20,
      description:
        'Done in their order. Each is an object with one of parse, rename, remove, set, lookup, severity, time, route, sample, drop; apps/log-shipper/README.md describes them.',
      items: { type: 'object', minProperties: 1, maxProperties: 1 },
    },
  },
  ['name', 'steps'],
)

const patterns: Node = {
  type: 'object',
  additionalProperties: { type: 'string' },
  description: 'Further patterns for grok, by their names.',
}
const versionFields: Node = {
  version: count('Number of the version, from 1; 0 when there never were rules.'),
  created_at: nullable(time('When the version was stored.')),
  created_by: nullable(text('Id of the API key that stored it.')),
}
const line: Node = { oneOf: [{ type: 'string' }, { type: 'object', additionalProperties: true }] }

/** Schemas of the rules for log lines. */
export const logTransformSchemas: Node = {
  TransformRule: rule,
  TransformRules: object(
    { rules: { ...listOf('TransformRule'), maxItems: 100, description: 'In the order in which they run.' }, patterns },
    ['rules'],
  ),
  StoredTransformRules: object(
    {
      ...versionFields,
      rules: listOf('TransformRule'),
      patterns,
      versions: {
        type: 'array',
        items: object(versionFields),
        description: 'The versions that are kept, the newest one first.',
      },
    },
    ['version', 'created_at', 'created_by', 'rules', 'versions'],
  ),
  TransformTrial: object(
    {
      rules: { ...ref('TransformRules'), description: 'The rules to try. Default: those of the tenant.' },
      lines: {
        type: 'array',
        maxItems: 100,
        items: line,
        description: 'Lines to try: their message alone, or lines as GET /api/v1/logs returns them.',
      },
      last: {
        type: 'integer',
        minimum: 1,
        maximum: 100,
        description: 'Number of stored lines to try, the newest ones.',
      },
      service: text('Service of the stored lines. Default: all.'),
      q: text('Query that the stored lines match, as for GET /api/v1/logs.'),
    },
    [],
  ),
  TriedLine: object({
    outcome: { enum: ['kept', 'dropped', 'sampled_out'] },
    before: anyObject('The line as it would be stored without rules.'),
    after: nullable(anyObject('The line as it would be stored; null when a rule drops it.')),
    rules: {
      type: 'array',
      description: 'The rules that matched the line, in their order.',
      items: object(
        {
          rule: text('Name of the rule.'),
          outcome: { enum: ['applied', 'failed', 'dropped', 'sampled_out'] },
          error: text('Which step failed, and why. A rule that fails changes nothing.'),
          changes: anyObject('The fields that the rule changed, each with before and after.'),
        },
        ['rule', 'outcome', 'changes'],
      ),
    },
  }),
  TriedLines: object({
    data: listOf('TriedLine'),
    left_out: count('Lines that did not fit into the answer.'),
  }),
}

const rules = {
  rules: [
    {
      name: 'access log of the shop',
      match: { service: 'nginx' },
      steps: [
        { parse: { field: 'message', as: 'grok', pattern: '%{COMBINEDAPACHELOG}' } },
        { time: { field: 'attributes.timestamp', format: 'clf', remove_source: true } },
        { set: { field: 'attributes.env', value: 'production' } },
      ],
    },
    {
      name: 'no health checks',
      match: { where: { field: 'attributes.request', equals: '/healthz' } },
      steps: [{ drop: true }],
    },
  ],
}
const version = { version: 3, created_at: '2026-11-21T08:00:00.000Z', created_by: 'key_1' }
const stored = { ...version, ...rules, versions: [version] }
const down = problem('The rules cannot be read or stored now; Retry-After says when to try again.')
const before = { message: 'level=warn attempt=2', level: 'unknown', attributes: {} }
const tried = {
  data: [
    {
      outcome: 'kept',
      before,
      after: { ...before, attributes: { level: 'warn', attempt: '2' } },
      rules: [{ rule: 'logfmt', outcome: 'applied', changes: { 'attributes.attempt': { before: null, after: '2' } } }],
    },
  ],
  left_out: 0,
}

/** The rules that change log lines before they are stored. */
export const logTransformPaths: Node = {
  '/api/v1/logs/transforms': {
    get: {
      ...reads(
        'logs',
        'The rules that change log lines before they are stored',
        'read',
        ok('StoredTransformRules', stored),
        [inQuery('version', 'Number of a version. Default: the newest one.', { type: 'integer', minimum: 1 })],
      ),
      responses: {
        200: ok('StoredTransformRules', stored),
        400: problem('A parameter is invalid; details names it.'),
        ...commonProblems,
        404: problem('There is no such version.'),
        503: down,
      },
    },
    put: {
      tags: ['logs'],
      summary: 'Replace the rules',
      description:
        'Stores a new version, which every log-shipper uses within a second. With If-Match it replaces only the version whose ETag the header has. The last 20 versions are kept.',
      ...needs('admin'),
      parameters: [
        {
          name: 'If-Match',
          in: 'header',
          required: false,
          description: 'ETag of the version to replace.',
          schema: { type: 'string', examples: ['"3"'] },
        },
      ],
      requestBody: { required: true, content: json('TransformRules', rules) },
      responses: {
        200: ok('StoredTransformRules', stored),
        400: problem(
          'TRANSFORMS_INVALID: details.errors has every mistake with its field and, in a pattern, its position.',
        ),
        ...commonProblems,
        412: problem('TRANSFORMS_CHANGED: another version was stored since.'),
        413: problem('The rules are larger than 1 MiB.'),
        503: down,
      },
    },
  },
  '/api/v1/logs/transforms/try': {
    post: {
      tags: ['logs'],
      summary: 'Try rules on sample lines, or on the last stored lines',
      description: 'Stores nothing. Lines in the answer are masked.',
      ...needs('read'),
      requestBody: {
        required: true,
        content: json('TransformTrial', {
          rules: { rules: [{ name: 'logfmt', steps: [{ parse: { field: 'message', as: 'logfmt' } }] }] },
          lines: ['level=warn attempt=2'],
        }),
      },
      responses: {
        200: ok('TriedLines', tried),
        400: problem('The rules or the lines are not valid; details names the field.'),
        ...commonProblems,
        503: down,
      },
    },
  },
}
