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

const list = (results: unknown[], charactersMax = 10_000) => listFailures(results, { root: '/repo', charactersMax })

describe('the list of failed tests', () => {
  it('has each failed file with the titles of its failed tests and the lines of a comparison that differ', () => {
    const error =
      '\u001b[31mError\u001b[39m: expect(received).toEqual(expected)\n\n- Expected  - 1\n+ Received  + 1\n\n  Array [\n-   1,\n+   2,\n  ]\n    at Object.<anonymous> (a.test.ts:1:1)'
    const results = [file('a.test.ts', [test('a stays', error), test('b stays')]), file('b.test.ts', [test('c stays')])]
    expect(list(results)).toEqual(['a.test.ts', '  a stays', '    -   1,', '    +   2,'])
  })

  it('shows the values of a failed matcher, and the matcher itself only when it has none', () => {
    const results = [
      file('a.test.ts', [
        test('a', 'Error: expect(received).toBe(expected)\n\nExpected: 1\nReceived: 2\n    at a.ts:1:1'),
        test('b', 'Error: expect(received).toBeTruthy()\n    at a.ts:1:1'),
      ]),
    ]
    expect(list(results)).toEqual([
      'a.test.ts',
      '  a',
      '    Expected: 1',
      '    Received: 2',
      '  b',
      '    Error: expect(received).toBeTruthy()',
    ])
  })

  it('has a file that could not run at all, or that fails behind its tests', () => {
    const broken = { ...file('a.test.ts', []), testExecError: { message: 'Cannot find module' } }
    expect(list([broken])).toEqual(['a.test.ts', '  the file itself', '    Cannot find module'])
  })

  it('shortens titles and errors when there is little room, then leaves errors out, and at last cuts the list', () => {
    const titles = Array.from({ length: 10 }, (_, index) =>
      test(`test ${index} ${'x'.repeat(300)} end ${index}`, 'one\ntwo\nthree'),
    )
    const results = [file('a.test.ts', titles)]
    const lengths = [10_000, 2_000, 1_200, 900].map((charactersMax) => list(results, charactersMax).length)
    expect(lengths).toEqual([1 + 10 * 4, 1 + 10 * 3, 1 + 10 * 2, 11])
    for (const line of list(results, 900).slice(1)) expect(line).toMatch(/^ {2}test (\d) x+\.\.\.x+ end \1$/)
    expect(list(results, 200)).toEqual([...list(results, 900).slice(0, 3), '... and 8 more lines like these'])
    expect(list(results, 900).join('\n').length).toBeLessThanOrEqual(900)
  })
})
