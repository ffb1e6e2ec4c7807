import type { IntakeRoute } from './intake-route.js'

/** Finds the routes of a path. */
export class RoutePaths {
  readonly #exact = new Map<string, IntakeRoute[]>()
  readonly #patterns: { readonly pattern: RegExp; readonly routes: IntakeRoute[] }[] = []

  /** @throws when two routes have the same path and method */
  constructor(routes: readonly IntakeRoute[]) {
    const byPath = new Map<string, IntakeRoute[]>()
    for (const route of routes) {
      const same = byPath.get(route.path) ?? []
      if (same.some(({ method = 'POST' }) => method === (route.method ?? 'POST')))
        throw new Error(`two routes have the path ${route.path}`)
      same.push(route)
      byPath.set(route.path, same)
    }
    for (const [path, same] of byPath) {
      if (path.includes('{')) this.#patterns.push({ pattern: toPattern(path), routes: same })
      else for (const each of new Set([path, path.endsWith('/') ? path : `${path}/`])) this.#exact.set(each, same)
    }
  }

  /** The routes of the path, which differ by method; undefined when there is none. */
  find(path: string): readonly IntakeRoute[] | undefined {
    const exact = this.#exact.get(path)
    if (exact !== undefined || this.#patterns.length === 0) return exact
    return this.#patterns.find(({ pattern }) => pattern.test(path))?.routes
  }
}

/** A segment in braces stands for any text without a slash. */
function toPattern(path: string): RegExp {
  const source = path.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]*\}/g, '[^/]+')
  return new RegExp(`^${source}/?$`)
}

/**
 * Whether a path is one of `paths`, which are written as in `IntakeRoute.path`. Slashes that are doubled or at the end do not count, as in the intake.
 */
export function createPathMatcher(paths: readonly string[]): (path: string) => boolean {
  const withoutEnd = (path: string) => path.replace(/(.)\/+$/, '$1')
  const exact = new Set(paths.filter((path) => !path.includes('{')).map(withoutEnd))
  const patterns = paths.filter((path) => path.includes('{')).map(toPattern)
  return (path) => {
    const clean = withoutEnd(path.includes('//') ? path.replace(/\/{2,}/g, '/') : path)
    return exact.has(clean) || patterns.some((pattern) => pattern.test(clean))
  }
}
