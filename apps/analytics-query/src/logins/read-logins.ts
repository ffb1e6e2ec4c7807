import type { SummaryOf } from '@millrace/contracts'
import type { Transaction } from '@millrace/database'
import { textOf } from '@millrace/rollups'
import type { CostEstimate } from '../admission/estimate-cost.js'
import { errors } from '../errors.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { Cell, CellQuery } from '../query/cell-query.js'
import type { ReadScope } from '../reads/read-scope.js'
import { type WatermarkConfig, type WatermarkRow, watermarkStatement } from '../reads/watermark-statement.js'
import { rowsOf } from '../sql/rows-of.js'
import {
  type LoginCellRow,
  type LoginShareRow,
  loginCellsStatement,
  loginSharesStatement,
  loginUsersStatement,
  type RecentLoginRow,
  recentLoginsStatement,
} from './login-statements.js'

type LoginsSummary = SummaryOf<'logins'>
type LoginShare = LoginsSummary['methods'][number]
type RecentLogin = LoginsSummary['recent'][number]

export interface ReadLoginsConfig extends WatermarkConfig {
  readonly cellsMax: number
}

export type ReadLogins = (
  scope: ReadScope,
  query: CellQuery,
) => Promise<{ cells: Cell[]; meta: AnswerMeta; summary: LoginsSummary }>

/** Reads login attempts by bucket and group, and a summary of all of them, in one snapshot. */
export function createReadLogins(config: ReadLoginsConfig): ReadLogins {
  return ({ tenantId, admission, read }, query) => read((tx) => readAll(tx, { tenantId, admission, query, config }))
}

interface Reading extends Pick<ReadScope, 'tenantId' | 'admission'> {
  readonly query: CellQuery
  readonly config: ReadLoginsConfig
}

async function readAll(tx: Transaction, { tenantId, admission, query, config }: Reading) {
  const { cellsMax } = config
  const isOneCell = query.groupBy.length === 0 && query.bucketStarts.length === 1
  const estimate = await admission?.admitLogins({ tenantId, query, scans: scansOf(query, isOneCell) })
  const [mark, cells, shares, recent, users] = await tx.pipeline([
    watermarkStatement(config),
    loginCellsStatement(tenantId, query, cellsMax),
    loginSharesStatement(tenantId, query),
    recentLoginsStatement(tenantId, query),
    ...(isOneCell ? [] : [loginUsersStatement(tenantId, query)]),
  ])
  const rows = rowsOf<LoginCellRow>(cells)
  if (rows.length > cellsMax) {
    throw errors.TOO_MANY_GROUPS({
      message: `the query has more than ${cellsMax} buckets and groups: filter, or use a longer interval`,
      details: { cellsMax },
    })
  }
  const [total] = isOneCell ? rows : rowsOf<{ users: bigint }>(users)
  return {
    cells: rows.map((row) => toCell(row, query)),
    summary: toSummary(rowsOf<LoginShareRow>(shares), rowsOf<RecentLoginRow>(recent), Number(total?.users ?? 0n)),
    meta: toMeta(rowsOf<WatermarkRow>(mark)[0]?.watermark ?? null, estimate),
  }
}

/**
 * One scan for the cells, one for the shares, one for users of several cells, and one for the newest attempts with
 * filters; without filters these end after a few rows.
 */
function scansOf({ filters }: CellQuery, isOneCell: boolean): number {
  return 2 + (isOneCell ? 0 : 1) + (filters.length > 0 ? 1 : 0)
}

function toCell(row: LoginCellRow, query: CellQuery): Cell {
  const { attempts, ...counts } = countsOf(row)
  return {
    bucket: row.bucket,
    group: query.groupBy.map((_, index) => textOf(row[`g${index}`])),
    value: attempts,
    values: { ...counts, users: Number(row.users) },
  }
}

function countsOf({ attempts, succeeded }: { attempts: bigint; succeeded: bigint }): Omit<LoginShare, 'name'> {
  const [all, good] = [Number(attempts), Number(succeeded)]
  return { attempts: all, succeeded: good, failed: all - good, success_rate: all === 0 ? null : good / all }
}

function toSummary(shares: readonly LoginShareRow[], recent: readonly RecentLoginRow[], users: number): LoginsSummary {
  const total = shares.find(({ field }) => field === null) ?? { attempts: 0n, succeeded: 0n }
  const sharesOf = (wanted: LoginShareRow['field']): LoginShare[] =>
    shares.filter(({ field }) => field === wanted).map((row) => ({ name: row.name ?? 'unknown', ...countsOf(row) }))
  return {
    totals: { ...countsOf(total), users },
    methods: sharesOf('method'),
    devices: sharesOf('device'),
    browsers: sharesOf('browser'),
    systems: sharesOf('os'),
    recent: recent.map(toRecent),
  }
}

function toRecent(row: RecentLoginRow): RecentLogin {
  const { user_id, success, method, browser, os, failure_reason } = row
  return {
    time: row.timestamp.toISOString(),
    user_id,
    success,
    method,
    device: row.device_type,
    browser,
    os,
    failure_reason,
  }
}

function toMeta(watermark: Date | null, estimate: CostEstimate | undefined): AnswerMeta {
  const reasons = ['login attempts have a table of their own and no rollups']
  return {
    source: 'raw',
    ageMs: 0,
    watermarkMs: watermark?.getTime() ?? null,
    plan: { source: 'raw', reasons, ...(estimate !== undefined && { estimate }) },
  }
}
