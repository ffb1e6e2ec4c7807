import type { Names } from '../generations.js'
import { parseGlob } from '../glob.js'

interface Written {
  readonly t?: readonly string[]
  readonly k?: readonly string[]
  readonly g?: readonly string[]
  readonly a?: 1
}

/** The names of an invalidation as stored in the log in Redis. */
export function writeNames({ tags, keys, globs, isEverything }: Names): string {
  const written: Written = {
    ...(tags === undefined || tags.length === 0 ? {} : { t: tags }),
    ...(keys === undefined || keys.length === 0 ? {} : { k: keys }),
    ...(globs === undefined || globs.length === 0 ? {} : { g: globs.map(({ text }) => text) }),
    ...(isEverything === true ? { a: 1 } : {}),
  }
  return JSON.stringify(written)
}

/** Throws for an unknown form, for example of a newer version. */
export function readNames(text: string): Names {
  const written = JSON.parse(text) as Written
  return {
    tags: written.t ?? [],
    keys: written.k ?? [],
    globs: (written.g ?? []).map(parseGlob),
    isEverything: written.a === 1,
  }
}
