/** An aggregate that is kept besides the counts by event name. Paths begin with `properties.` or `context.`; event '*' is every event. */
export interface RollupDefinition {
  readonly event: string
  readonly dimensions: readonly string[]
  readonly property: string | null
}

/** One series that an event counts in, with its value or NaN. */
export interface Point {
  readonly event: string
  readonly property: string | null
  readonly dimensions: string[]
  readonly values: (string | null)[]
  readonly value: number
}

/**
 * The series of `definitions` that a stored event counts in, by the same rules as the gateway's: a property counts only as a finite number, an
 * absent one leaves the event out; dimensions are texts, numbers and booleans as JavaScript prints them, else null.
 */
export function pointsOf(
  event: { readonly event: string; readonly properties: unknown; readonly context: unknown },
  definitions: readonly RollupDefinition[],
): Point[] {
  const points: Point[] = []
  for (const definition of definitions) {
    if (definition.event !== '*' && definition.event !== event.event) continue
    const value = definition.property === null ? Number.NaN : numberAt(event, definition.property)
    if (definition.property !== null && Number.isNaN(value)) continue
    points.push({
      event: definition.event,
      property: definition.property,
      dimensions: [...definition.dimensions],
      values: definition.dimensions.map((path) => textAt(event, path)),
      value,
    })
  }
  return points
}

function numberAt(event: object, path: string): number {
  const value = valueAt(event, path)
  return typeof value === 'number' && Number.isFinite(value) ? value : Number.NaN
}

function textAt(event: object, path: string): string | null {
  const value = valueAt(event, path)
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

function valueAt(event: object, path: string): unknown {
  let value: unknown = event
  for (const key of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    if (key === 'length' && Array.isArray(value)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}
