import Transport from 'winston-transport'
import type { LineSink } from './line-sink.js'

const MESSAGE = Symbol.for('message')

/** A winston transport that collects finished lines and writes them as one piece to each sink. */
export class LineTransport extends Transport {
  readonly #sinks: readonly LineSink[]
  #lines = ''
  #count = 0
  #isFinished = false

  constructor(sinks: readonly LineSink[]) {
    super()
    this.#sinks = sinks
  }

  override log(info: { readonly [MESSAGE]: string }, next: () => void): void {
    this.#lines += `${info[MESSAGE]}\n`
    this.#count++
    next()
  }

  flush(): void {
    const lines = this.#lines
    const count = this.#count
    this.#lines = ''
    this.#count = 0
    for (const sink of this.#sinks) {
      if (count > 0) sink.write(lines, count)
      if (this.#isFinished) sink.finish()
    }
  }

  /** Waits until the last byte is out, now and after each later flush. */
  finish(): void {
    this.#isFinished = true
    this.flush()
  }
}
