import type { GetTransformsResponse } from '@millrace/contracts'
import type { Request, Response } from 'express'
import { errors } from '../errors.js'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import type { ApiRoutes } from './api-routes.js'
import { invalid, type Params, readCount, readText } from './read-params.js'

const PATH = '/api/v1/logs/transforms'
const VERSION_MAX = 2_147_483_647
const SAMPLES_MAX = 100

/**
 * GET and PUT /api/v1/logs/transforms: the rules that change the log lines of the caller's tenant before they are stored; POST …/try runs rules on lines
 * and stores nothing. Which rules are valid is decided by log-shipper.
 */
export function addLogTransformsApi(routes: ApiRoutes, deps: Pick<ApiDeps, 'logs'>): void {
  routes.get(PATH, 'read', async (req, res, principal) => {
    const version = readCount(req.query as Params, 'version', { min: 1, max: VERSION_MAX })
    sendRules(res, await deps.logs.getTransforms({ version }, onBehalfOf(principal)))
  })
  routes.put(PATH, 'admin', async (req, res, principal) => {
    const caller = onBehalfOf(principal)
    const expectedVersion = readIfMatch(req)
    const { version } = await deps.logs.putTransforms({ rulesJson: JSON.stringify(req.body), expectedVersion }, caller)
    sendRules(res, await deps.logs.getTransforms({ version }, caller))
  })
  routes.post(`${PATH}/try`, 'read', async (req, res, principal) => {
    const params = req.body as Params
    const { rules, lines = [] } = params
    if (rules !== undefined && (typeof rules !== 'object' || rules === null)) throw invalid('rules', 'an object')
    if (!Array.isArray(lines) || lines.length > SAMPLES_MAX)
      throw invalid('lines', `a list of at most ${SAMPLES_MAX} texts or lines`)
    const last = readCount(params, 'last', { min: 1, max: SAMPLES_MAX })
    if (lines.length === 0 && last === 0) throw invalid('lines', 'given, or last: without them there is nothing to try')
    const tried = await deps.logs.tryTransforms(
      {
        rulesJson: rules === undefined ? '' : JSON.stringify(rules),
        samplesJson: lines.map((line) => JSON.stringify(line)),
        last,
        service: readText(params, 'service'),
        query: readText(params, 'q', 4096),
      },
      onBehalfOf(principal),
    )
    res.type('json').send(`{"data":[${tried.linesJson.join(',')}],"left_out":${tried.leftOut}}`)
  })
}

function sendRules(res: Response, found: GetTransformsResponse): void {
  const { version, createdAt, createdBy, versions } = found
  const rules = JSON.parse(found.rulesJson) as object
  res.setHeader('etag', `"${version}"`)
  res.json({
    version,
    created_at: createdAt?.toISOString() ?? null,
    created_by: createdBy === '' ? null : createdBy,
    ...rules,
    versions: versions.map((one) => ({
      version: one.version,
      created_at: one.createdAt?.toISOString() ?? null,
      created_by: one.createdBy,
    })),
  })
}

/** The version of an If-Match header; undefined when there is none, or `*`. */
function readIfMatch(req: Request): number | undefined {
  const header = req.headers['if-match']?.trim()
  if (header === undefined || header === '*') return undefined
  const [, version] = /^(?:W\/)?"(\d{1,9})"$/.exec(header) ?? []
  if (version !== undefined) return Number(version)
  throw errors.INVALID_REQUEST({
    message: 'If-Match must be the ETag of an answer, such as "3", or *',
    details: { field: 'if-match' },
  })
}
