import { describe, expect, it } from '@jest/globals'
import { closestName } from './closest-name.js'

describe('the known name that a misspelled one means', () => {
  const known = ['event', 'user_id', 'group_by', 'limit', 'to', 'os']
  it.each([
    ['userId', 'user_id'],
    ['USER_ID', 'user_id'],
    ['group-by', 'group_by'],
    ['groupby', 'group_by'],
    ['evnt', 'event'],
    ['events', 'event'],
    ['limti', 'limit'],
    ['colour', undefined],
    ['xy', undefined],
    ['', undefined],
    ['e'.repeat(100_000), undefined],
  ])('of %s is %s', (name, meant) => {
    expect(closestName(name, known)).toBe(meant)
  })
})
