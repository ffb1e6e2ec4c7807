import type { Clock } from '../../src/clock.js'
import { settle } from '../settle.js'

/** Chooses one of `count` possible next steps. */
export type Choose = (count: number) => number

interface Step {
  readonly label: string
  readonly run: () => void
  readonly isLast: boolean
}

interface Timer {
  readonly atMs: number
  readonly task: () => void
}

/**
 * The steps that can happen next: replies, messages, timers. `choose` decides their order, one at a time. Time moves only by the step of a timer.
 */
export class Steps implements Clock {
  readonly taken: string[] = []
  readonly #choose: Choose
  readonly #pending: Step[] = []
  readonly #timers: Timer[] = []
  #nowMs = 0

  constructor(choose: Choose) {
    this.#choose = choose
  }

  wallMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  schedule(delayMs: number, task: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, task }
    this.#timers.push(timer)
    return () => {
      const index = this.#timers.indexOf(timer)
      if (index >= 0) this.#timers.splice(index, 1)
    }
  }

  /** Continues in a later step of its own, as if a message had to arrive first. */
  turn(): Promise<void> {
    return Promise.resolve()
  }

  /** Adds a step that happens sooner or later; the returned function removes it. `isLast`: it comes last in the list of possible steps. */
  add(label: string, run: () => void, isLast = false): () => void {
    const step = { label, run, isLast }
    const firstLast = this.#pending.findIndex((other) => other.isLast)
    this.#pending.splice(isLast || firstLast < 0 ? this.#pending.length : firstLast, 0, step)
    return () => {
      const index = this.#pending.indexOf(step)
      if (index >= 0) this.#pending.splice(index, 1)
    }
  }

  /** A value that arrives in a later step. */
  hop<T>(label: string, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.add(label, () => {
        try {
          resolve(work())
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)))
        }
      })
    })
  }

  /** Runs steps until `isDone` or the limit. */
  async run(isDone: () => boolean, stepsMax: number): Promise<void> {
    await settle()
    for (let count = 0; count < stepsMax && !isDone(); count++) {
      const timer = this.#nextTimer()
      const choices = this.#pending.length + (timer === undefined ? 0 : 1)
      if (choices === 0) return
      const choice = this.#choose(choices)
      const step = this.#pending[choice]
      if (step !== undefined) {
        this.#pending.splice(choice, 1)
        this.taken.push(step.label)
        step.run()
      } else if (timer !== undefined) {
        this.#timers.splice(this.#timers.indexOf(timer), 1)
        this.#nowMs = Math.max(this.#nowMs, timer.atMs)
        this.taken.push(`time ${Math.round(this.#nowMs)}`)
        timer.task()
      }
      await settle()
    }
  }

  #nextTimer() {
    let next: Timer | undefined
    for (const timer of this.#timers) if (next === undefined || timer.atMs < next.atMs) next = timer
    return next
  }
}
