export interface LoopConfig {
  readonly intervalMs: number
}

/**
 * Calls `step` at once and then again `intervalMs` after each end, never twice at a time. `step` must deal with its own errors. The
 * returned function ends the loop and resolves when a step under way has ended.
 */
export function startLoop(
  { intervalMs }: LoopConfig,
  step: (signal: AbortSignal) => Promise<void>,
): () => Promise<void> {
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const turn = (): void => {
    running = step(stopping.signal).finally(() => {
      if (!stopping.signal.aborted) timer = setTimeout(turn, intervalMs)
    })
  }
  turn()
  return async () => {
    stopping.abort()
    clearTimeout(timer)
    await running
  }
}
