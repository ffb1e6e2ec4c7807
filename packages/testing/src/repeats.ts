import { subscribe, unsubscribe } from 'node:diagnostics_channel'

/** The channel on which packages/database reports statements that one request runs repeatedly. The two packages share only its name. */
const CHANNEL = 'millrace.database.repeat'

/** On globalThis, since Jest may load this module more than once per file. */
const key = Symbol.for('millrace.testing.repeats')
const store = globalThis as { [key]?: string[] }

interface Repeat {
  statement: string
  count: number
  firstCall: string
}

/** Collects repeated statements (N+1) of every database that this process opens from now on. The returned function stops that. */
export function collectRepeats(): () => void {
  const note = (message: unknown) => {
    const { statement, count, firstCall } = message as Repeat
    store[key] ??= []
    store[key].push(`${count} times in one request: ${statement}\n    first run ${firstCall}`)
  }
  subscribe(CHANNEL, note)
  return () => void unsubscribe(CHANNEL, note)
}

/** Returns what was collected since the last call. A test that provokes a repeat takes it; otherwise it fails the test. */
export function takeRepeats(): string[] {
  const taken = store[key] ?? []
  store[key] = []
  return taken
}
