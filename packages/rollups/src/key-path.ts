/** The JSON column that a path begins with, and the keys that lead from there to a value. */
export interface KeyPath {
  readonly root: string
  readonly keys: readonly string[]
}

const ROOT = /^[^.[\]"]*/
const PART = /\.([^.[\]"][^.[\]]*)|\[(0|[1-9]\d*)\]|\[("(?:[^"\\]|\\.)*")\]/sy
const PLAIN_KEY = /^[^.[\]"][^.[\]]*$/
const INDEX_FROM_END = /^-\d+$/

const QUOTING =
  'write a key that has a dot or a bracket, or begins with a quotation mark, as a JSON string in brackets: ["a.b"]'

/**
 * Parses a path to a value inside a JSON column: `properties.flight.carrier`, `properties.items[0].sku`, `properties["a.b"].c`. After the root comes
 * for each key a dot and the key, or brackets with an index or with the key as a JSON string. A key that has a dot or a bracket, or begins with a
 * quotation mark, must be quoted. `.0` and `[0]` are the same: an index of a list, or the key "0" of an object. Filters, groups, metrics and rollup definitions share this
 * grammar. Returns the reason as a text for a path that is not valid, so that callers can use their own errors.
 */
export function parseKeyPath(path: string): KeyPath | string {
  const [root = ''] = ROOT.exec(path) ?? []
  const keys: string[] = []
  for (let at = root.length; at < path.length; at = PART.lastIndex) {
    PART.lastIndex = at
    const match = PART.exec(path)
    if (match === null) return faultAt(path, at)
    const [, plain, index, quoted] = match
    if (plain !== undefined && INDEX_FROM_END.test(plain)) return notAnIndex(plain)
    const key = plain ?? index ?? unquote(quoted as string)
    if (key === undefined) return `${quoted} is not a JSON string`
    if (key === '') return 'it has an empty part'
    if (key.includes('\0') || !key.isWellFormed()) return 'a key has a character that cannot be stored'
    keys.push(key)
  }
  return keys.length === 0 ? `it names no key below ${root}` : { root, keys }
}

/** The canonical text of a path, equal for all ways of writing it. */
export function formatKeyPath({ root, keys }: KeyPath): string {
  const parts = keys.map((key) =>
    PLAIN_KEY.test(key) && !INDEX_FROM_END.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`,
  )
  return [root, ...parts].join('')
}

function unquote(text: string): string | undefined {
  try {
    return JSON.parse(text) as string
  } catch {
    return undefined
  }
}

function faultAt(path: string, at: number): string {
  const rest = path.slice(at)
  if (/^\.(?:[.[]|$)/.test(rest)) return 'it has an empty part'
  if (rest.startsWith('["')) return 'a quoted key must end with "]'
  const [, index] = /^\[(-\d+)\]/.exec(rest) ?? []
  return index === undefined ? QUOTING : notAnIndex(index)
}

function notAnIndex(text: string): string {
  return `${text} is not an index into a list: indexes count from 0 at its start`
}
