import type { QueryAnswerMeta } from './gen/query-types.js'

export interface RememberedAnswer {
  readonly etag: string
  readonly text: string
  /** What was known of it last, and when, by the monotonic clock of `performance`. */
  readonly meta: QueryAnswerMeta
  readonly atMs: number
}

/** Answers of more characters are not kept. */
const CHARACTERS_MAX = 262_144

/** The last answers by address, the least recently used ones dropped. */
export class AnswerMemory {
  readonly #answersMax: number
  readonly #answers = new Map<string, RememberedAnswer>()

  constructor(answersMax: number) {
    this.#answersMax = answersMax
  }

  get(path: string): RememberedAnswer | undefined {
    const answer = this.#answers.get(path)
    if (answer === undefined) return undefined
    this.#answers.delete(path)
    this.#answers.set(path, answer)
    return answer
  }

  put(path: string, answer: RememberedAnswer): void {
    this.#answers.delete(path)
    if (answer.text.length > CHARACTERS_MAX) return
    this.#answers.set(path, answer)
    if (this.#answers.size <= this.#answersMax) return
    for (const oldest of this.#answers.keys()) {
      this.#answers.delete(oldest)
      return
    }
  }
}
