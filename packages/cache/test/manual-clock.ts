import type { Clock } from '../src/clock.js'
import { settle } from './settle.js'

/** A clock that moves only by `advance`. */
export class ManualClock implements Clock {
  #nowMs = 1_000_000
  #timers: { readonly atMs: number; readonly task: () => void }[] = []

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
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  turn(): Promise<void> {
    return Promise.resolve()
  }

  /** Runs the tasks that become due, in order, each with the work that follows from it. */
  async advance(byMs: number): Promise<void> {
    await settle()
    const untilMs = this.#nowMs + byMs
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== due)
      this.#nowMs = Math.max(this.#nowMs, due.atMs)
      due.task()
      await settle()
    }
    this.#nowMs = untilMs
    await settle()
  }
}
