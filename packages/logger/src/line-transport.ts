import Transport from 'winston-transport'
import type { LineWriter } from './fd-writer.js'

const MESSAGE = Symbol.for('message')

/** A winston transport that collects finished lines and writes them as one piece. */
export class LineTransport extends Transport {
  readonly #writer: LineWriter
  #lines = ''
  #isFinished = false

  constructor(writer: LineWriter) {
    super()
    this.#writer = writer
  }

  override log(info: { readonly [MESSAGE]: string }, next: () => void): void {
    this.#lines += `${info[MESSAGE]}\n`
    next()
  }

  flush(): void {
    const lines = this.#lines
    this.#lines = ''
    if (lines !== '') this.#writer.write(lines)
    if (this.#isFinished) this.#writer.finish()
  }

  /** Waits until the last byte is out, now and after each later flush. */
  finish(): void {
    this.#isFinished = true
    this.flush()
  }
}
