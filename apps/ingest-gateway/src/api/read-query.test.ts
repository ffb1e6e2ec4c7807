import { describe, expect, it } from '@jest/globals'
import { readQuery } from './read-query.js'

describe('the range of a query', () => {
  it.each([
    [
      { from: '2026-10-01', to: '2026-11-01' },
      { fromIsLocal: true, toIsLocal: true },
    ],
    [{ from: '2026-10-01' }, { fromIsLocal: true, toIsLocal: undefined }],
    [
      { from: '2026-10-01T00:00:00Z', to: '2026-11-01T00:00Z' },
      { fromIsLocal: undefined, toIsLocal: undefined },
    ],
    [
      { from: '2026-10-01T00:00:00+02:00', to: '2026-11-01' },
      { fromIsLocal: undefined, toIsLocal: true },
    ],
  ])(
    '%j uses the time zone of the query for dates without a time, and the offset of the text otherwise',
    (range, expected) => {
      const { request } = readQuery('timeseries', { ...range, timezone: 'Europe/Berlin' })
      const { fromIsLocal, toIsLocal } = request
      expect({ fromIsLocal, toIsLocal }).toEqual(expected)
      expect(request.from).toEqual(new Date(range.from))
    },
  )
})
