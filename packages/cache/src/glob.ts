import { cacheErrors } from './cache-errors.js'

/** Each `*` may make a match try every position again; keys are short, patterns should be too. */
const starsMax = 8

/** A pattern over whole keys, for this process and, as a Lua pattern, for Redis. Throws CACHE_OPTIONS on too many stars and on line breaks. */
export interface Glob {
  readonly text: string
  readonly lua: string
  matches(key: string): boolean
}

export function parseGlob(text: string): Glob {
  const simple = text.replace(/\*+/g, '*')
  if ((simple.match(/\*/g)?.length ?? 0) > starsMax) {
    throw cacheErrors.CACHE_OPTIONS({ message: `a pattern has at most ${starsMax} stars` })
  }
  const expression = new RegExp(
    `^${simple
      .replace(/[\\^$.+()[\]{}|]/g, '\\$&')
      .replaceAll('*', '[^]*')
      .replaceAll('?', '[^]')}$`,
    'u',
  )
  if (simple.includes('\n')) throw cacheErrors.CACHE_OPTIONS({ message: 'a pattern has no line breaks' })
  return { text: simple, lua: toLuaPattern(simple), matches: (key) => expression.test(key) }
}

/** Lua counts bytes, so `?` is left for the script to turn into one UTF-8 character. */
function toLuaPattern(glob: string): string {
  return `^${glob.replace(/[%^$.+\-()[\]]/g, '%$&').replaceAll('*', '.*')}$`
}
