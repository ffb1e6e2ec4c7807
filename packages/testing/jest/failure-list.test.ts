import { describe, expect, it } from '@jest/globals'
import { listFailures } from './failure-list.mjs'

const test = (fullName: string, ...failureMessages: string[]) => ({
  fullName,
  failureMessages,
  status: failureMessages.length > 0 ? 'failed' : 'passed',
})
const file = (path: string, testResults: ReturnType<typeof test>[]) => ({
  testFilePath: `/repo/${path}`,
  numFailingTests: testResults.filter(({ status }) => status === 'failed').length,
  testResults,
})

describe('the list of failed tests', () => {
  it('has each failed file with the titles of its failed tests and the first two lines of each error', () => {
    const error =
      '\u001b[31mError\u001b[39m: it is gone\n\n- Expected  - 1\n+ Received  + 1\n\nExpected: 1\nReceived: 2\n    at Object.<anonymous> (a.test.ts:1:1)'
    const results = [file('a.test.ts', [test('a stays', error), test('b stays')]), file('b.test.ts', [test('c stays')])]
    expect(listFailures(results, { root: '/repo', linesMax: 60 })).toEqual([
      'a.test.ts',
      '  a stays',
      '      Error: it is gone',
      '      Expected: 1',
    ])
  })

  it('has a file that could not run at all, or that fails behind its tests', () => {
    const broken = { ...file('a.test.ts', []), testExecError: { message: 'Cannot find module' } }
    expect(listFailures([broken], { root: '/repo', linesMax: 60 })).toEqual([
      'a.test.ts',
      '  the file itself',
      '      Cannot find module',
    ])
  })

  it('leaves out errors before titles, and titles only when there are more lines than it may have', () => {
    const titles = Array.from({ length: 10 }, (_, index) => test(`test ${index}`, 'one\ntwo'))
    const list = (linesMax: number) => listFailures([file('a.test.ts', titles)], { root: '/repo', linesMax })
    expect(list(31)).toHaveLength(31)
    expect(list(30)).toEqual([
      'a.test.ts',
      '  test 0',
      '      one',
      '      two',
      ...titles.slice(1).map(({ fullName }) => `  ${fullName}`),
    ])
    expect(list(11)).toHaveLength(11)
    expect(list(5)).toEqual(['a.test.ts', '  test 0', '  test 1', '  test 2', '... and 7 more lines like these'])
  })
})
