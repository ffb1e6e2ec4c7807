/** Resources that a test file holds and has to give back. They are kept on globalThis, since Jest may load this module more than once per file. */
const key = Symbol.for('millrace.testing.held')
const store = globalThis as { [key]?: Map<symbol, Held> }

interface Held {
  what: string
  release: () => Promise<void>
}

function held(): Map<symbol, Held> {
  store[key] ??= new Map()
  return store[key]
}

/**
 * Records that a test holds something; the returned function gives it back, once. What is still held at the end of the file is given back then, and fails
 * the file.
 */
export function hold<Args extends unknown[]>(
  what: string,
  release: (...args: Args | []) => Promise<void>,
): (...args: Args | []) => Promise<void> {
  const id = Symbol(what)
  held().set(id, { what, release })
  return async (...args) => {
    if (held().delete(id)) await release(...args)
  }
}

/** Gives back everything that is still held and returns its names. */
export async function releaseLeaks(): Promise<string[]> {
  const names: string[] = []
  for (const [id, { what, release }] of [...held()].reverse()) {
    held().delete(id)
    names.push(what)
    await release().catch((error: Error) => names.push(`and releasing it failed: ${error.message}`))
  }
  return names
}
