import { coreErrors } from '@millrace/contracts'

interface Level {
  /** Keys seen so far; undefined in an array. */
  readonly keys: Set<string> | undefined
  /** Whether the next string is a key. */
  expectsKey: boolean
}

/**
 * Throws INVALID_REQUEST when an object in a JSON text has the same key twice: JSON.parse would silently drop all but the last of them. A text that
 * is not JSON may pass; its parser says what is wrong.
 */
export function refuseRepeatedKeys(json: string): void {
  const levels: Level[] = []
  for (let at = 0; at < json.length; at++) {
    const char = json[at]
    const level = levels.at(-1)
    if (char === '"') {
      const end = stringEnd(json, at)
      if (level?.expectsKey === true) addKey(level, json.slice(at, end))
      at = end - 1
    } else if (char === '{') levels.push({ keys: new Set(), expectsKey: true })
    else if (char === '[') levels.push({ keys: undefined, expectsKey: false })
    else if (char === '}' || char === ']') levels.pop()
    else if (char === ',' && level?.keys !== undefined) level.expectsKey = true
  }
}

/** Behind the closing quote of the string that begins at `start`. */
function stringEnd(json: string, start: number): number {
  let at = start + 1
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1
  return at + 1
}

function addKey(level: Level, literal: string): void {
  level.expectsKey = false
  let key: string
  try {
    key = JSON.parse(literal) as string
  } catch {
    return
  }
  if (level.keys?.has(key) === true) {
    const field = key.slice(0, 100)
    throw coreErrors.INVALID_REQUEST({ message: `the field ${field} occurs more than once`, details: { field } })
  }
  level.keys?.add(key)
}
