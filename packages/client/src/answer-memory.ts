import type { QueryAnswerMeta } from './gen/query-types.js'

/** An answer that can be used again when the server confirms its ETag. */
export interface RememberedAnswer {
  readonly etag: string
  readonly text: string
  /** `meta` as it was last reported, and when, by the clock of `performance.now()`. */
  readonly meta: QueryAnswerMeta
  readonly atMs: number
}

/** Longer answers are not remembered. */
const CHARACTERS_MAX = 262_144

/** The last answers by address. Drops the least recently used answer when it is full. */
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
