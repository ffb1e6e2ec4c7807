import type { CellPage } from '../query/cell-page.js'
import type { CellQuery } from '../query/cell-query.js'
import { measureOf } from './measures.js'

/** A query of which the database can return one page of cells, if it reads all of them from one range of raw rows. */
export interface PagedQuery extends CellQuery {
  readonly page: CellPage
}

export function isPaged(query: CellQuery): query is PagedQuery {
  const { page, bucketStarts, metric } = query
  if (page === undefined || bucketStarts.length !== 1) return false
  return page.order === 'group' || measureOf(metric).rawValue(metric) !== null
}
