type Properties = Readonly<Record<string, unknown>>
type Kind = 'text' | 'boolean' | 'object'

/** The properties of events that are also stored in a table of their own (EVT-1 to EVT-3). A question mark means optional. */
const typedEvents: ReadonlyMap<string, Readonly<Record<string, Kind>>> = new Map([
  ['$login', { method: 'text', success: 'boolean', 'failure_reason?': 'text' }],
  ['$activity', { action: 'text', entity_type: 'text', entity_id: 'text', 'metadata?': 'object' }],
  ['$session_start', { session_id: 'text' }],
  ['$session_end', { session_id: 'text' }],
])

const TEXT_MAX = 255

/**
 * Checks the properties of a typed event. Returns undefined if the event is not a typed one, true if its properties are valid, else a
 * sentence about what is wrong.
 */
export function checkTypedEvent(event: string, readProperties: () => unknown): true | string | undefined {
  const schema = typedEvents.get(event)
  if (schema === undefined) return undefined
  const properties = (readProperties() ?? {}) as Properties
  for (const [name, kind] of Object.entries(schema)) {
    const isOptional = name.endsWith('?')
    const key = isOptional ? name.slice(0, -1) : name
    const value = Object.hasOwn(properties, key) ? properties[key] : undefined
    if (isOptional && (value === undefined || value === null)) continue
    if (!isKind(value, kind)) return `${event} needs ${key}: ${describe(kind)}, not ${found(value)}`
  }
  return true
}

function isKind(value: unknown, kind: Kind): boolean {
  if (kind === 'text') return isText(value)
  if (kind === 'boolean') return typeof value === 'boolean'
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): boolean {
  if (typeof value === 'string') return value.trim() !== '' && value.length <= TEXT_MAX
  // A number becomes a text, and parsing has changed the digits of numbers beyond this.
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER
}

function describe(kind: Kind): string {
  if (kind === 'text') return `a string of 1 to ${TEXT_MAX} characters or a number`
  return kind === 'boolean' ? 'true or false' : 'an object'
}

function found(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (typeof value === 'string') {
    if (value.trim() === '') return 'a blank string'
    return value.length > TEXT_MAX ? `a string of ${value.length} characters` : 'a string'
  }
  if (typeof value === 'number') return isText(value) ? 'a number' : 'a number of more than 15 digits'
  if (typeof value === 'boolean') return 'a boolean'
  return Array.isArray(value) ? 'a list' : 'an object'
}
