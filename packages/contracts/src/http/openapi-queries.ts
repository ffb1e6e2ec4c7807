import { z } from 'zod'
import { answerSchemas } from '../queries/answer-schemas.js'
import type { QueryKindName } from '../queries/query-kinds.js'
import { querySchemaNames, querySchemas } from '../queries/query-schemas.js'
import { inQuery, json, ok, problem, reads } from './openapi-parts.js'
import { queryExamples } from './openapi-samples.js'
import type { Node } from './openapi-schemas.js'

const about: Readonly<Record<QueryKindName, { summary: string; description: string }>> = {
  timeseries: {
    summary: 'A metric over time',
    description: 'Points by time and within it by group. A page holds 10,000 points at most, and by default.',
  },
  top: {
    summary: 'The groups with the greatest values',
    description:
      'Greatest first, equal ones by name. A page holds 1000 groups at most, 10 by default. Values move while events come in: the next page has the greatest of the groups that were on none before, so each comes once. Beyond 500 groups it is 409 CURSOR_OUTDATED when others have come among those shown; breakdown walks through any number.',
  },
  breakdown: {
    summary: 'A metric by group',
    description:
      'In the order of the groups’ names, so a group that is there when the first page is made comes once, whatever comes in meanwhile. A page holds 1000 groups at most, 100 by default.',
  },
  uniques: {
    summary: 'Distinct users',
    description: 'By user id, or by anonymous id where there is none; at most 2 % off.',
  },
  percentiles: {
    summary: 'p50, p95 and p99 of a property',
    description:
      'Of its numeric values, within 1 %: the value at place ⌊q · (n − 1)⌋ of n in their order. value is the one that the metric names.',
  },
  funnel: {
    summary: 'How many users go through steps in their order',
    description: 'Per step: users, conversion, and the time since the step before. Steps count from 0.',
  },
  retention: {
    summary: 'How many users come back',
    description:
      'Users by the period of their first event (the cohort), and how many of them came back in each later one. There is no compare: the cohorts before stand beside the later ones in one answer over a longer range, where each has had its own time to come back.',
  },
  sessions: {
    summary: 'Visits, their length and bounce rate',
    description: 'A session is events of one user without a gap as long as window. It counts where it begins.',
  },
  logins: {
    summary: 'Attempts to log in',
    description:
      'From $login events: attempts, success rate and users; summary has methods, devices, browsers, systems and recent logins.',
  },
  daily: {
    summary: 'The standing report by day',
    description:
      'Events, users and the average response time of each UTC day. Complete days come from a materialized view, the others are counted now; meta.age_ms is the age of the view.',
  },
}

export const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)

for (const [kind, schema] of Object.entries(querySchemas)) querySchemaNames.add(schema, { id: `${capital(kind)}Query` })
for (const [kind, schema] of Object.entries(answerSchemas))
  querySchemaNames.add(schema, { id: `${capital(kind)}Answer` })

/** Schemas of queries and answers by name, from those that requests are validated with. */
export function queryComponents(): Node {
  const { schemas } = z.toJSONSchema(querySchemaNames, { io: 'input', uri: (id) => `#/components/schemas/${id}` })
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _schema, $id: _id, ...schema }]) => [name, schema]),
  )
}

const asText: Readonly<Record<string, string>> = {
  filters: 'JSON text: a list of {property, op, value}',
  steps: 'names of events separated by commas, or JSON text: a list of {event, filters}',
  group_by: 'paths separated by commas',
}

/** Fields of the body as parameters of a query string: metric becomes metric and property, lists become texts. */
function flatParameters(schema: Node): Node[] {
  return Object.entries(schema.properties as Record<string, Node>).flatMap(([name, property]) => {
    const { description = '' } = property as { description?: string }
    if (name === 'metric') {
      return [
        inQuery('metric', 'aggregation, as metric.agg of the body'),
        inQuery('property', 'as metric.property of the body'),
      ]
    }
    const text = asText[name]
    if (text !== undefined) return [inQuery(name, description === '' ? text : `${text}; ${description}`)]
    const { description: _described, ...plain } = property
    return [inQuery(name, description, plain)]
  })
}

const sampleMeta = { source: 'raw', age_ms: 0, watermark: '2026-11-21T08:00:00.000Z', took_ms: 4.2 }

const answerHeaders: Node = {
  ETag: header(
    'Of data, summary and cursor. Sent back in If-None-Match it is answered with 304 when nothing has changed.',
  ),
  'Millrace-Meta': header(
    'meta as a dictionary of RFC 9651 (source, age_ms, watermark, took_ms) with sent_at. On 304 too, and renewed by caches that ask again, where the meta of the body stays what it was; Age counts on top of its age_ms.',
  ),
  'Cache-Control': header(
    'How long caches may keep the answer: a second while its range is open, a minute and more when it is closed; no-store for POST, fresh, min_watermark and explain.',
  ),
  'Surrogate-Key': header(
    'For a cache in front, where there is one: the names by which it is told to drop the answer.',
  ),
  Vary: header('Authorization, Accept-Encoding'),
}

function header(description: string): Node {
  return { description, schema: { type: 'string' } }
}

const queryProblems = {
  503: problem(
    'not able to answer now; Retry-After says when to try again. WATERMARK_NOT_REACHED: with strict, min_watermark was not reached in time',
  ),
  409: problem('CURSOR_OUTDATED: the groups of the pages before are not the first ones any more; begin again'),
  422: problem('QUERY_TOO_EXPENSIVE: details has estimate, budget and suggestion'),
  429: problem('the tenant has as many queries waiting as it may; Retry-After says when to try again'),
}

/** Both forms of each kind of query, with examples over the sample events. */
export function queryPaths(components: Node): Node {
  return Object.fromEntries(
    Object.entries(about).map(([kind, { summary, description }]) => {
      const { query, ...answered } = queryExamples[kind as QueryKindName]
      const answer = {
        ...ok(`${capital(kind)}Answer`, { ...answered, next_cursor: null, meta: sampleMeta }),
        headers: answerHeaders,
      }
      const operation = (parameters: readonly Node[]): Node => {
        const plain = reads('query', summary, 'read', answer, parameters)
        const responses = {
          ...(plain.responses as Node),
          304: { description: 'what If-None-Match names still holds', headers: answerHeaders },
          ...queryProblems,
        }
        return { ...plain, description, responses }
      }
      const schema = components[`${capital(kind)}Query`] as Node
      const body = { required: true, content: json(`${capital(kind)}Query`, query) }
      return [
        `/api/v1/query/${kind}`,
        { get: operation(flatParameters(schema)), post: { ...operation([]), requestBody: body } },
      ]
    }),
  )
}
