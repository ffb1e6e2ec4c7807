/** Takes finished lines, masked and in JSON. None of its functions throws. */
export interface LineSink {
  /** Whole lines, each with its newline; `count` is their number. Does not wait, unless the sink says so. */
  write(lines: string, count: number): void
  /** Called when the process ends: returns when everything that can be delivered is, after a bounded time. */
  finish(): void
}
