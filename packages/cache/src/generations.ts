import type { Glob } from './glob.js'

/** The entries that one invalidation names. */
export interface Names {
  readonly tags?: readonly string[]
  readonly keys?: readonly string[]
  readonly globs?: readonly Glob[]
  /** The whole namespace. */
  readonly isEverything?: boolean
}

/**
 * The fence of this process. Every invalidation takes the next number of a sequence. A value carries the number at which its load began, and is
 * current as long as its key and tags have no later number. So the value of a load under way never outlives an invalidation, and tags may be known
 * only after the load. When names are forgotten, all older values become outdated: a missing name never counts as unchanged.
 */
export interface Generations {
  readonly sequence: number
  bump(names: Names): void
  isCurrent(key: string, tags: readonly string[], asOf: number): boolean
}

const namesMaxDefault = 65_536
const globsMax = 64

/**
 * Creates empty generations that remember at most `namesMax` tags and as many keys; beyond that, older values count as
 * invalidated.
 */
export function createGenerations(namesMax: number = namesMaxDefault): Generations {
  const tagNumbers = new Map<string, number>()
  const keyNumbers = new Map<string, number>()
  let globs: { glob: Glob; number: number }[] = []
  let sequence = 0
  let floor = 0

  const forget = () => {
    floor = sequence
    tagNumbers.clear()
    keyNumbers.clear()
    globs = []
  }
  return {
    get sequence() {
      return sequence
    },
    bump(names) {
      sequence++
      for (const tag of names.tags ?? []) tagNumbers.set(tag, sequence)
      for (const key of names.keys ?? []) keyNumbers.set(key, sequence)
      for (const glob of names.globs ?? []) {
        globs = globs.filter((old) => old.glob.text !== glob.text)
        globs.push({ glob, number: sequence })
      }
      const isFull = tagNumbers.size + keyNumbers.size > namesMax || globs.length > globsMax
      if (names.isEverything === true || isFull) forget()
    },
    isCurrent(key, tags, asOf) {
      if (asOf === sequence) return true
      if (asOf < floor || (keyNumbers.get(key) ?? 0) > asOf) return false
      for (const tag of tags) if ((tagNumbers.get(tag) ?? 0) > asOf) return false
      return !globs.some(({ glob, number }) => number > asOf && glob.matches(key))
    },
  }
}
