import type { Clock } from '../../src/clock.js'
import { settle } from '../settle.js'

/** Which of `count` possible next steps is taken. */
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
 * Everything that can happen next, one thing at a time, in an order that `choose` gives: replies, messages, timers. Time moves only by taking a timer's step.
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

  /** What follows goes to the other side, and when that comes there is a step of its own. */
  turn(): Promise<void> {
    return Promise.resolve()
  }

  /** Something that will happen, sooner or later; the returned function takes it back. `isLast`: behind all others in the list of what is possible. */
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

  /** Takes steps until `isDone` or the limit. */
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
