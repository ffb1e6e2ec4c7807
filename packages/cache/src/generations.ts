import type { Glob } from './glob.js'

/** What one invalidation names. */
export interface Names {
  readonly tags?: readonly string[]
  readonly keys?: readonly string[]
  readonly globs?: readonly Glob[]
  /** The whole namespace. */
  readonly isEverything?: boolean
}

/**
 * The fence in this process. Every invalidation takes the next number of one sequence; a value remembers the number at which its loader began and
 * is current as long as none of its names carries a later one. So a loader in flight cannot pass an invalidation, and tags may be known only
 * after loading. Names are forgotten only together with the trust in every value older than them: what is absent never counts as unchanged.
 */
export interface Generations {
  readonly sequence: number
  bump(names: Names): void
  isCurrent(key: string, tags: readonly string[], asOf: number): boolean
}

const namesMaxDefault = 65_536
const globsMax = 64

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
