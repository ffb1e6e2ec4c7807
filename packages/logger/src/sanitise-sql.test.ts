import { describe, expect, it } from '@jest/globals'
import { sanitiseSql } from './sanitise-sql.js'

describe('a sanitised statement', () => {
  it.each([
    [`select * from t where name = 'O''Brien' and n = 42`, 'select * from t where name = ? and n = ?'],
    [`select E'it\\'s', 'back\\', x from t`, 'select ?, ?, x from t'],
    ["select $$body 'x'$$, $tag$a $$ b$tag$, $1", 'select ?, ?, $1'],
    ['select a1, t2.b3, -1.5e-3, 7 from t_4', 'select a1, t2.b3, ?, ? from t_4'],
    [`select "it's ""quoted""", 'x' from t`, `select "it's ""quoted""", ? from t`],
    [`select 1 -- don't\n, /* it's */ 'secret'`, 'select ? , ?'],
    [`select x'ff', U&'d', timestamptz '2026-11-21'`, 'select ?, ?, timestamptz ?'],
    [`select 'never closed secret`, 'select ?'],
  ])('has no literals where there was %s', (text, masked) => {
    expect(sanitiseSql(text)).toBe(masked)
  })

  it('is at most 2,000 characters long', () => {
    expect(sanitiseSql(`select ${'a, '.repeat(2_000)}`)).toHaveLength(2_001)
  })
})
