import { describe, expect, it } from '@jest/globals'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import { CompiledDefinitions, type EventFields } from './compiled-definitions.js'
import type { RollupDefinition } from './rollup-definition.js'
import { parseSeriesKey, seriesKey } from './series-key.js'

const property = fc.constantFrom('a', 'b', 'c', 'long name', '__proto__')
const path = fc.oneof(
  property.map((name) => `properties.${name}`),
  fc.constantFrom('properties.a.b', 'properties.c.0', 'context.app', 'context.a.length'),
)
const definition: fc.Arbitrary<RollupDefinition> = fc.record({
  event: fc.constantFrom('*', 'Flight', 'Other'),
  dimensions: fc.uniqueArray(path, { maxLength: 3 }),
  property: fc.option(path),
})
const value = fc.oneof(
  fc.constantFrom<unknown>('', '0', '1', 'text', 'tab\t"', 'é', true, false, null, -0, 1.5, 1e21, [1, 2], { b: 3 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
)
const event = fc.record({
  properties: fc.dictionary(property, value),
  context: fc.option(fc.dictionary(fc.constantFrom('app', 'a'), value), { nil: undefined }),
})
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never

/** The fields of an event whose watched properties are found by their position, as the gateway's scanner notes it. */
function fieldsOf({ properties, context }: Event, watched: ReadonlyMap<string, number>): EventFields {
  let json = ' '
  const starts = new Map<number, number>()
  for (const [name, one] of Object.entries(properties)) {
    const slot = watched.get(name)
    if (slot !== undefined) starts.set(slot, Buffer.byteLength(json))
    json += `${JSON.stringify(one)},`
  }
  const parsed = { properties: JSON.parse(JSON.stringify(properties)), context }
  return {
    bytes: Buffer.from(json),
    watched: (slot) => starts.get(slot) ?? 0,
    parsed: (root) => parsed[root as keyof typeof parsed],
  }
}

describe('compiled definitions', () => {
  it('compiled definitions find the same series and values by the positions of watched properties as in the parsed event', () => {
    const events = fc.array(event, { minLength: 1, maxLength: 10 })
    fc.assert(
      fc.property(
        fc.array(definition, { maxLength: 5 }),
        events,
        fc.nat({ max: 4 }),
        (definitions, given, slotsMax) => {
          const watching = new CompiledDefinitions(definitions, { slotsMax })
          expect(watching.watched.size).toBeLessThanOrEqual(slotsMax)
          const series = watching.describe(1, 'Flight')
          for (const one of given) {
            const fields = fieldsOf(one, watching.watched)
            // This description has met no other event, so it remembers no keys.
            const parsing = new CompiledDefinitions(definitions, { slotsMax: 0 }).describe(1, 'Flight')
            expect(series.readers.map((reader) => ({ ...reader.read(fields) }))).toEqual(
              parsing.readers.map((reader) => ({ ...reader.read(fields) })),
            )
          }
        },
      ),
      { numRuns: propertyRuns(400) },
    )
  })

  it('compiled definitions count an event in the series of its name and of every definition that aggregates it', () => {
    const compiled = new CompiledDefinitions(
      [
        { event: '*', dimensions: [], property: 'properties.value' },
        { event: 'Flight', dimensions: ['properties.carrier', 'context.app'], property: null },
        { event: 'Other', dimensions: [], property: 'properties.value' },
      ],
      { slotsMax: 0 },
    )
    const series = compiled.describe(7, 'Flight')
    const fields = fieldsOf({ properties: { value: 3, carrier: 'UA' }, context: undefined }, compiled.watched)
    expect(parseSeriesKey(series.seriesKey)).toEqual({
      tenantId: 7,
      event: 'Flight',
      property: null,
      dimensions: [],
      values: [],
    })
    expect(series.readers.map((reader) => ({ ...reader.read(fields) }))).toEqual([
      {
        key: seriesKey({ tenantId: 7, event: '*', property: 'properties.value', dimensions: [], values: [] }),
        value: 3,
      },
      {
        key: seriesKey({
          tenantId: 7,
          event: 'Flight',
          property: null,
          dimensions: ['properties.carrier', 'context.app'],
          values: ['UA', null],
        }),
        value: Number.NaN,
      },
    ])
  })
})
