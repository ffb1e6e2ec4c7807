import { cacheErrors } from './cache-errors.js'

/** Each `*` may make a match try every position again, so their number is limited. */
const starsMax = 8

/** A pattern for whole keys: as a regular expression for this process and as a Lua pattern for Redis. @throws CACHE_OPTIONS for too many stars or line breaks */
export interface Glob {
  readonly text: string
  readonly lua: string
  matches(key: string): boolean
}

/**
 * Parses a pattern in which `*` stands for any characters. Throws CACHE_OPTIONS for more stars than matching can
 * afford.
 */
export function parseGlob(text: string): Glob {
  const simple = text.replace(/\*+/g, '*')
  if ((simple.match(/\*/g)?.length ?? 0) > starsMax) {
    throw cacheErrors.CACHE_OPTIONS({ message: `a pattern must not have more than ${starsMax} stars` })
  }
  const expression = new RegExp(
    `^${simple
      .replace(/[\\^$.+()[\]{}|]/g, '\\$&')
      .replaceAll('*', '[^]*')
      .replaceAll('?', '[^]')}$`,
    'u',
  )
  if (simple.includes('\n')) throw cacheErrors.CACHE_OPTIONS({ message: 'a pattern must not have line breaks' })
  return { text: simple, lua: toLuaPattern(simple), matches: (key) => expression.test(key) }
}

/** Lua counts bytes, so the script replaces `?` by a pattern of one UTF-8 character. */
function toLuaPattern(glob: string): string {
  return `^${glob.replace(/[%^$.+\-()[\]]/g, '%$&').replaceAll('*', '.*')}$`
}
