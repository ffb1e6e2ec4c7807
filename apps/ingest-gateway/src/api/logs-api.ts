import type { Principal } from '@millrace/auth'
import { CURSOR_LENGTH_MAX, coreErrors, type LogAnswer, type LogConditions } from '@millrace/contracts'
import type { Response } from 'express'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { invalid, type Params, readCount, readFlag, readList, readText, readTime } from './read-params.js'

const PATH = '/api/v1/logs'
/** As many characters as log-shipper takes. */
const QUERY_LENGTH_MAX = 4096
const LIMIT = { min: 1, max: 100 }
const CONTEXT_DEFAULT = 10

/** GET and POST /api/v1/logs, and counts over log lines: of the caller's tenant. */
export function addLogsApi(routes: ApiRoutes, deps: Pick<ApiDeps, 'logs'>): void {
  addSearch(routes, deps)
  addContext(routes, deps)
  addCounts(routes, deps)
}

function addSearch(routes: ApiRoutes, { logs }: Pick<ApiDeps, 'logs'>): void {
  const search = async (res: Response, principal: Principal, params: Params): Promise<void> => {
    const startedAt = performance.now()
    const found = await logs.searchLogs(
      {
        ...readConditions(params),
        limit: readCount(params, 'limit', LIMIT),
        cursor: readText(params, 'cursor', CURSOR_LENGTH_MAX),
        fields: readList(params, 'fields'),
        highlight: readFlag(params, 'highlight') ?? false,
        oldestFirst: readChoice(params, 'order', ['newest', 'oldest']) === 'oldest',
      },
      onBehalfOf(principal),
    )
    const meta = {
      scanned: Number(found.scanned),
      skipped: Number(found.skipped),
      total: found.total === undefined ? null : Number(found.total),
      watermark: found.watermark?.toISOString() ?? null,
      took_ms: tookMs(startedAt),
      incomplete: found.incomplete,
      hints: found.hints,
    }
    const next = found.nextCursor === '' ? 'null' : JSON.stringify(found.nextCursor)
    // The lines are JSON texts already, so they are passed on without parsing.
    res
      .type('json')
      .send(`{"data":[${found.linesJson.join(',')}],"next_cursor":${next},"meta":${JSON.stringify(meta)}}`)
  }
  routes.get(PATH, 'read', (req, res, principal) => search(res, principal, req.query))
  routes.post(PATH, 'read', (req, res, principal) => search(res, principal, (req.body ?? {}) as Params))
}

function addContext(routes: ApiRoutes, { logs }: Pick<ApiDeps, 'logs'>): void {
  routes.get(`${PATH}/:id/context`, 'read', async (req, res, principal) => {
    const startedAt = performance.now()
    const { linesJson, index, incomplete } = await logs.getLogContext(
      {
        id: readText(req.params, 'id'),
        before: readContextCount(req.query, 'before'),
        after: readContextCount(req.query, 'after'),
      },
      onBehalfOf(principal),
    )
    res
      .type('json')
      .send(
        `{"data":[${linesJson.join(',')}],"index":${index},"meta":${JSON.stringify({ took_ms: tookMs(startedAt), incomplete })}}`,
      )
  })
}

function addCounts(routes: ApiRoutes, { logs }: Pick<ApiDeps, 'logs'>): void {
  routes.get(`${PATH}/histogram`, 'read', (req, res, principal) =>
    answer(res, () =>
      logs.countLogs(
        {
          conditions: readConditions(req.query),
          interval: readText(req.query, 'interval'),
          groupBy: readText(req.query, 'group_by'),
          limit: readCount(req.query, 'limit', LIMIT),
        },
        onBehalfOf(principal),
      ),
    ),
  )
  routes.get(`${PATH}/top`, 'read', (req, res, principal) =>
    answer(res, () =>
      logs.topLogValues(
        {
          conditions: readConditions(req.query),
          field: readText(req.query, 'field'),
          limit: readCount(req.query, 'limit', LIMIT),
        },
        onBehalfOf(principal),
      ),
    ),
  )
  routes.get(`${PATH}/patterns`, 'read', (req, res, principal) =>
    answer(res, () =>
      logs.findLogPatterns(
        {
          conditions: readConditions(req.query),
          limit: readCount(req.query, 'limit', LIMIT),
          byChange: readChoice(req.query, 'order', ['count', 'change']) === 'change',
        },
        onBehalfOf(principal),
      ),
    ),
  )
}

async function answer(res: Response, ask: () => Promise<{ readonly answer: LogAnswer | undefined }>): Promise<void> {
  const startedAt = performance.now()
  const { answer: found } = await ask()
  if (found === undefined) throw coreErrors.INTERNAL({ message: 'log-shipper sent no answer' })
  const { dataJson, metaJson, scanned, skipped, total, incomplete, watermark } = found
  const meta = {
    ...(JSON.parse(metaJson) as object),
    scanned: Number(scanned),
    skipped: Number(skipped),
    total: Number(total),
    watermark: watermark?.toISOString() ?? null,
    took_ms: tookMs(startedAt),
    incomplete,
  }
  res.type('json').send(`{"data":${dataJson},"meta":${JSON.stringify(meta)}}`)
}

/** Which lines are meant. */
export function readConditions(params: Params): LogConditions {
  return {
    from: readTime(params, 'from'),
    to: readTime(params, 'to'),
    levels: readList(params, 'level'),
    services: readList(params, 'service'),
    host: readText(params, 'host'),
    traceId: readText(params, 'trace_id'),
    query: readText(params, 'q', QUERY_LENGTH_MAX),
    contains: readText(params, 'contains'),
  }
}

/** 0 is a number of lines here, and not an absent one. */
function readContextCount(params: Params, name: string): number {
  return params[name] === undefined ? CONTEXT_DEFAULT : readCount(params, name, { min: 0, max: LIMIT.max })
}

function readChoice(params: Params, name: string, choices: readonly string[]): string | undefined {
  const text = readText(params, name)
  if (text === '') return undefined
  if (!choices.includes(text)) throw invalid(name, choices.join(' or '))
  return text
}

function tookMs(startedAt: number): number {
  return Math.round((performance.now() - startedAt) * 10) / 10
}
