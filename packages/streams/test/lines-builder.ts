import type { BatchBuilder } from '@millrace/streams'

/** A batch of lines of text, for tests. */
export class LinesBuilder implements BatchBuilder {
  readonly #lines: string[] = []
  bytes = 0
  firstTimeMs = Number.POSITIVE_INFINITY
  lastTimeMs = Number.NEGATIVE_INFINITY

  get records(): number {
    return this.#lines.length
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0
  }

  add(line: string, timeMs = 1_700_000_000_000): void {
    this.#lines.push(line)
    this.bytes += line.length + 1
    this.firstTimeMs = Math.min(this.firstTimeMs, timeMs)
    this.lastTimeMs = Math.max(this.lastTimeMs, timeMs)
  }

  seal(): Buffer {
    return Buffer.from(this.#lines.join('\n'))
  }
}

export function linesOf(payload: Buffer): string[] {
  return payload.length === 0 ? [] : payload.toString().split('\n')
}
