import type { FieldPath } from './field-path.js'

/**
 * The text of a field as the name of a group; null when the field is absent. An empty text below `properties` or
 * `context` is no name, so it counts as absent. Columns hold no empty texts. `pageSql` is the same rule in SQL.
 */
export function groupText(path: FieldPath, text: string | null): string | null {
  return path.kind === 'json' && text === '' ? null : text
}
