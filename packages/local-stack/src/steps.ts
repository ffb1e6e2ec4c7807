/** Reports each step with the time it took. */
export interface Steps {
  /** Runs one step; `describe` adds a fact about its result to the line. */
  run<T>(what: string, work: () => Promise<T>, describe?: (value: T) => string): Promise<T>
}

export function createSteps(say: (line: string) => void): Steps {
  return {
    run: async (what, work, describe) => {
      const start = performance.now()
      const value = await work()
      const seconds = ((performance.now() - start) / 1000).toFixed(1)
      say(`${what}${describe ? ` (${describe(value)})` : ''}: ready after ${seconds} s`)
      return value
    },
  }
}
