import { subscribe, unsubscribe } from 'node:diagnostics_channel'

/** Where packages/database tells of statements that a request runs again and again. Its name is all that is shared. */
const CHANNEL = 'millrace.database.repeat'

/** Kept on globalThis, since Jest may load this module more than once a file. */
const key = Symbol.for('millrace.testing.repeats')
const store = globalThis as { [key]?: string[] }

interface Repeat {
  statement: string
  count: number
  firstCall: string
}

/** Collects the N+1 reads of every database that is opened in this process from now on. The returned function ends it. */
export function collectRepeats(): () => void {
  const note = (message: unknown) => {
    const { statement, count, firstCall } = message as Repeat
    store[key] ??= []
    store[key].push(`${count} times in one request: ${statement}\n    first run ${firstCall}`)
  }
  subscribe(CHANNEL, note)
  return () => void unsubscribe(CHANNEL, note)
}

/** What was collected since the last call. A test that provokes a repeat takes it; what nobody took fails the test. */
export function takeRepeats(): string[] {
  const taken = store[key] ?? []
  store[key] = []
  return taken
}
