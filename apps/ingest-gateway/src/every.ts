/**
 * Runs `work` every `periodMs`, the next time only after the last has ended. `work` never rejects. The stop waits for a run under way and
 * then runs it once more when `isRunAtEnd`.
 */
export function every(periodMs: number, work: () => Promise<void>, { isRunAtEnd = false } = {}): () => Promise<void> {
  let isStopped = false
  let running = Promise.resolve()
  let timer = setTimeout(tick, periodMs)
  function tick(): void {
    running = work().finally(() => {
      if (!isStopped) timer = setTimeout(tick, periodMs)
    })
  }
  return async () => {
    isStopped = true
    clearTimeout(timer)
    await running
    if (isRunAtEnd) await work()
  }
}
