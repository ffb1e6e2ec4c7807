type Json = unknown

/**
 * Keeps the parts of a response that `filter_path` names, as Elasticsearch does: paths are separated by commas, `*` stands for any name or part
 * of a name, `**` for any number of levels, and a path with a minus in front leaves its part out. Lists take no level of their own.
 */
export function filterPath(value: Json, filter: string): Json {
  const paths = filter
    .split(',')
    .map((path) => path.trim())
    .filter((path) => path !== '')
  const kept = paths.filter((path) => !path.startsWith('-')).map(toSegments)
  const dropped = paths.filter((path) => path.startsWith('-')).map((path) => toSegments(path.slice(1)))
  const included = kept.length === 0 ? value : (pick(value, kept) ?? {})
  return dropped.length === 0 ? included : (omit(included, dropped) ?? {})
}

type Segments = readonly string[]

/** Long paths would make `**` slow, and no response is that deep. */
const SEGMENTS_MAX = 10
const PATHS_MAX = 50

function toSegments(path: string): Segments {
  return path.split('.').slice(0, SEGMENTS_MAX)
}

function pick(value: Json, paths: readonly Segments[]): Json {
  if (paths.some((path) => path.length === 0)) return value
  if (Array.isArray(value)) {
    const items = value.map((item) => pick(item, paths)).filter((item) => item !== undefined)
    return items.length === 0 ? undefined : items
  }
  if (typeof value !== 'object' || value === null) return undefined
  const kept = Object.entries(value).flatMap(([name, item]) => {
    const rest = advance(paths, name)
    const picked = rest.length === 0 ? undefined : pick(item, rest)
    return picked === undefined ? [] : [[name, picked] as const]
  })
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

function omit(value: Json, paths: readonly Segments[]): Json {
  if (paths.some((path) => path.length === 0)) return undefined
  if (Array.isArray(value)) return value.map((item) => omit(item, paths)).filter((item) => item !== undefined)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, item]) => {
      const left = omit(item, advance(paths, name))
      return left === undefined ? [] : [[name, left] as const]
    }),
  )
}

/** What is left of the paths below a member with this name. */
function advance(paths: readonly Segments[], name: string): Segments[] {
  const rest: Segments[] = []
  for (const [first, ...others] of paths.slice(0, PATHS_MAX)) {
    if (first === '**') rest.push([first, ...others], ...advance([others], name))
    else if (first !== undefined && matches(first, name)) rest.push(others)
  }
  return rest
}

/** Whether a name matches a pattern with stars. Takes time in proportion to both, whatever the pattern is. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*')
  if (parts.length === 1) return pattern === name
  const [first = ''] = parts
  const last = parts[parts.length - 1] ?? ''
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at)
    if (found < 0 || found + part.length > name.length - last.length) return false
    at = found + part.length
  }
  return true
}
