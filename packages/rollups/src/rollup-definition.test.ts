import { describe, expect, it } from '@jest/globals'
import { parseRollupDefinitions } from './rollup-definition.js'

describe('the setting ROLLUPS', () => {
  it('the setting ROLLUPS fills in the parts that a definition leaves out', () => {
    expect(parseRollupDefinitions('[{"property":"properties.price"},{"event":"Flight"}]')).toEqual([
      { event: '*', dimensions: [], property: 'properties.price' },
      { event: 'Flight', dimensions: [], property: null },
    ])
  })

  it('the setting ROLLUPS keeps paths in their canonical text, so that one field has one name', () => {
    const setting = JSON.stringify([{ dimensions: ['properties["a.b"]', 'properties["c"]'], property: 'context[0]' }])
    expect(parseRollupDefinitions(setting)).toEqual([
      { event: '*', dimensions: ['properties["a.b"]', 'properties.c'], property: 'context.0' },
    ])
  })

  it('the setting ROLLUPS drops definitions that would only count events, since every event name is counted anyway', () => {
    expect(parseRollupDefinitions('[{}]')).toEqual([])
  })

  it.each([
    ['no JSON', '[', 'ROLLUPS is not JSON'],
    ['a path outside properties and context', '[{"property":"user.id"}]', 'a path begins with properties. or context.'],
    [
      'an empty part in a path',
      '[{"property":"properties..x"}]',
      '"properties..x" is not a path: it has an empty part',
    ],
    ['a path of six keys', '[{"property":"properties.a.b.c.d.e.f"}]', 'a path has at most 5 keys'],
    ['a quote that is not closed', JSON.stringify([{ property: 'properties["a' }]), 'a quoted key must end'],
    ['four dimensions', `[{"dimensions":${JSON.stringify(Array(4).fill('context.a'))}}]`, '<=3'],
    ['an unknown key', '[{"events":"x"}]', 'events'],
  ])('the setting ROLLUPS is rejected with a sentence for operators when it has %s', (_name, setting, message) => {
    expect(() => parseRollupDefinitions(setting)).toThrow(message)
  })
})
