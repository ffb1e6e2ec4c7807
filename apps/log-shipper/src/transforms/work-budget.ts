/** Matching one character against one instruction of a pattern is a unit; it takes about 2 ns. */
const UNITS_FIRST = 50_000_000
/** Patterns of 200 instructions can read 1,000 characters of each line. */
const UNITS_PER_LINE = 200_000
/** What all steps of one line may write, in characters: twice the limit of a line. */
const WRITTEN_PER_LINE = 2_097_152

/**
 * Bounds what the rules of one tenant may cost within one request, because all tenants of a process share its time: the time of patterns, counted and
 * not measured, so that the same lines have the same results on any machine; and the characters that steps write.
 */
export class WorkBudget {
  #units = UNITS_FIRST
  #written = 0

  /** Begins the next line. */
  nextLine(): void {
    this.#units += UNITS_PER_LINE
    this.#written = 0
  }

  /** Whether a pattern of this size may read a text of this length. */
  takeMatch(characters: number, programSize: number): boolean {
    const units = characters * programSize
    if (units > this.#units) return false
    this.#units -= units
    return true
  }

  /** Whether a step may write this number of characters. */
  takeWrite(characters: number): boolean {
    this.#written += characters
    return this.#written <= WRITTEN_PER_LINE
  }
}
