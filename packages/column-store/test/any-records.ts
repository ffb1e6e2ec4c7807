import fc from 'fast-check'
import type { ColumnDefinition, ColumnDefinitions } from '../src/index.js'

/** Definitions of up to eight columns of any types. */
export function anyDefinitions(): fc.Arbitrary<ColumnDefinitions> {
  const types = fc.constantFrom('time', 'int', 'float', 'bool', 'uuid', 'keyword', 'text', 'json')
  const definition: fc.Arbitrary<ColumnDefinition> = fc.oneof(
    fc.record({ type: types, optional: fc.constant(true as const) }, { requiredKeys: ['type'] }),
    fc.record(
      {
        type: fc.constant('hex' as const),
        bytes: fc.integer({ min: 1, max: 64 }),
        optional: fc.constant(true as const),
      },
      { requiredKeys: ['type', 'bytes'] },
    ),
  ) as fc.Arbitrary<ColumnDefinition>
  return fc
    .array(definition, { minLength: 1, maxLength: 8 })
    .map((columns) => Object.fromEntries(columns.map((column, index) => [`c${index}`, column])))
}

/** A row object that fits the definitions. */
export function anyRow(definitions: ColumnDefinitions): fc.Arbitrary<Record<string, unknown>> {
  return fc.record(Object.fromEntries(Object.entries(definitions).map(([name, each]) => [name, anyValue(each)])))
}

function anyValue(definition: ColumnDefinition): fc.Arbitrary<unknown> {
  const value = anyPresentValue(definition)
  return definition.optional ? fc.option(value, { nil: null }) : value
}

function anyPresentValue(definition: ColumnDefinition): fc.Arbitrary<unknown> {
  switch (definition.type) {
    case 'time':
      return fc.record({ ms: anyInteger(), subNs: fc.integer({ min: 0, max: 999_999 }) })
    case 'int':
      return anyInteger()
    case 'float':
      return fc.oneof(
        fc.double(),
        fc.integer({ min: -99_999, max: 99_999 }).map((value) => value / 100),
      )
    case 'bool':
      return fc.boolean()
    case 'hex':
      return fc
        .uint8Array({ minLength: definition.bytes, maxLength: definition.bytes })
        .map((bytes) => Buffer.from(bytes).toString('hex'))
    case 'uuid':
      return fc.uuid()
    case 'keyword':
      return fc.oneof(fc.constantFrom('a', 'b', 'ccc'), anyText())
    case 'text':
      return anyText()
    case 'json':
      return fc
        .jsonValue()
        .map(withoutMinusZero)
        .filter((value) => value !== null)
  }
}

function anyInteger(): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min: -5, max: 300 }), fc.integer(), fc.maxSafeInteger())
}

function anyText(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 400 }),
    fc
      .tuple(fc.constantFrom('order', 'user', 'took'), fc.nat(), fc.constantFrom('', ' ms', '\n'))
      .map((parts) => parts.join(' ')),
  )
}

/** JSON has no -0. */
function withoutMinusZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
