import { userHash } from '../query/user-hash.js'
import type { MarksQuery } from './marks.js'

/** The hashes of the users whose events alone a query follows, null for those of all: an index finds them, so their rows are read as they are. */
export function usersAsked({ conditions }: Pick<MarksQuery, 'conditions'>, tenantId: number): bigint[] | null {
  const [first, ...others] = conditions
  for (const filter of first?.filters ?? []) {
    if (filter.op !== 'in' || filter.path.name !== 'user_id') continue
    const text = JSON.stringify(filter)
    if (others.every(({ filters }) => filters.some((other) => JSON.stringify(other) === text)))
      return filter.texts.map((id) => userHash(id, tenantId))
  }
  return null
}
