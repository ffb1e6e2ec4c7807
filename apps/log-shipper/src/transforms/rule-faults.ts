/** One mistake in a document of rules. */
export interface RuleFault {
  /** Where it is: `rules[2].steps[0].parse.pattern`. */
  readonly field: string
  readonly message: string
  /** Index of a character of the text in that field. */
  readonly position?: number
}

const FAULTS_MAX = 20

/** Collects the mistakes of a document, so that its author sees all of them at once. */
export class RuleFaults {
  readonly list: RuleFault[] = []

  add(field: string, message: string, position?: number): undefined {
    if (this.list.length < FAULTS_MAX) this.list.push({ field, message, ...(position !== undefined && { position }) })
    return undefined
  }
}
