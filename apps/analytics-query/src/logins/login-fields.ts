import { filterErrors } from '@millrace/query-filters'
import type { FieldPath } from '../query/field-path.js'

const FIELDS = ['method', 'device', 'browser', 'os', 'success', 'failure_reason', 'ip'] as const

/** Parses a field of a login attempt; loginRows has these fields in `e.properties`. @throws INVALID_FIELD_PATH */
export function parseLoginField(name: string): FieldPath {
  if (name === 'user_id') return { kind: 'column', name, column: 'user_id' }
  const field = FIELDS.find((candidate) => candidate === name)
  if (field !== undefined) return { kind: 'json', name, root: 'properties', keys: [field] }
  throw filterErrors.INVALID_FIELD_PATH({
    message: `a login has no field "${name.slice(0, 40)}": use user_id, ${FIELDS.join(', ')}`,
    details: { path: name.slice(0, 40) },
  })
}
