import type { LogRecord } from '../records/log-record.js'
import type { LogRejectionCode, LogSink } from '../records/log-sink.js'
import type { CompiledRules } from './compile-rules.js'
import { runRules, withError } from './run-rules.js'
import { WorkBudget } from './work-budget.js'

/** Runs the rules of a tenant on the records of one request, and hands on those that are kept. Masking and limits come after it. */
export class TransformingSink implements LogSink {
  readonly #rules: CompiledRules
  readonly #next: LogSink
  readonly #budget = new WorkBudget()
  /** Lines by what became of them. */
  readonly counts = { changed: 0, failed: 0, dropped: 0, sampled_out: 0 }

  constructor(rules: CompiledRules, next: LogSink) {
    this.#rules = rules
    this.#next = next
  }

  /** Lines that are not handed on. */
  get droppedLines(): number {
    return this.counts.dropped + this.counts.sampled_out
  }

  add(record: LogRecord): void {
    let result: ReturnType<typeof runRules>
    try {
      result = runRules(this.#rules, record, this.#budget)
    } catch {
      // A fault of this program must not lose a line. The error may hold a part of the line, so it is not shown.
      this.counts.failed++
      this.#next.add(withError(record, 'the rules failed unexpectedly'))
      return
    }
    if (result.isFailed) this.counts.failed++
    if (result.outcome !== 'kept') {
      this.counts[result.outcome]++
      return
    }
    if (result.record !== record && !result.isFailed) this.counts.changed++
    this.#next.add(result.record)
  }

  reject(index: number, code: LogRejectionCode, reason: string): void {
    this.#next.reject(index, code, reason)
  }
}
