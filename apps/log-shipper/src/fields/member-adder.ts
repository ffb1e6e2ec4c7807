/** Attributes while a record is decoded. Without a prototype, so that names such as `__proto__` and `constructor` are ordinary names. */
export type Members = Record<string, unknown>

/** An empty object without a prototype. */
export function createMembers(): Members {
  return { __proto__: null } as unknown as Members
}

/**
 * Adds the members of one object. A name that occurs again keeps all its values: the first under the name itself, the next ones under
 * `name#2`, `name#3` and so on. Takes constant time a member, however often a name is repeated.
 */
export class MemberAdder {
  readonly members: Members
  /** Whether a name occurred more than once. */
  isRepeated = false
  #next: Map<string, number> | undefined

  constructor(members: Members = createMembers()) {
    this.members = members
  }

  add(name: string, value: unknown): void {
    if (name in this.members) this.members[this.#freeName(name)] = value
    else this.members[name] = value
  }

  #freeName(name: string): string {
    this.isRepeated = true
    this.#next ??= new Map()
    let number = this.#next.get(name) ?? 2
    while (`${name}#${number}` in this.members) number++
    this.#next.set(name, number + 1)
    return `${name}#${number}`
  }
}
