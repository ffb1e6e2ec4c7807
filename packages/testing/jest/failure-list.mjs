import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const ERROR_LINES = 2
const LINE_LENGTH_MAX = 200

/**
 * The failed files with the titles of their failed tests and the beginning of each error, as at most `linesMax` lines. When that is too little room, only
 * the first error of each file is shown, then no error, and at last the list is cut and says so.
 */
export function listFailures(testResults, { root, linesMax }) {
  const failed = testResults.filter(({ numFailingTests, testExecError }) => numFailingTests > 0 || testExecError)
  for (const errorsMax of [Number.POSITIVE_INFINITY, 1, 0]) {
    const lines = failed.flatMap((file) => linesOf(file, root, errorsMax))
    if (lines.length <= linesMax) return lines
    if (errorsMax === 0)
      return [...lines.slice(0, linesMax - 1), `... and ${lines.length - linesMax + 1} more lines like these`]
  }
  return []
}

function linesOf({ testFilePath, testExecError, failureMessage, testResults }, root, errorsMax) {
  const failed = testResults.filter(({ status }) => status === 'failed')
  const entries = failed.map(({ fullName, failureMessages }) => ({
    title: fullName,
    error: failureMessages.join('\n'),
  }))
  if (testExecError || entries.length === 0)
    entries.push({
      title: 'the file itself',
      error: testExecError?.stack ?? testExecError?.message ?? failureMessage ?? '',
    })
  return [
    relative(root, testFilePath),
    ...entries.flatMap(({ title, error }, index) => [
      cut(`  ${title}`),
      ...(index < errorsMax ? beginningOf(error).map((line) => cut(`      ${line}`)) : []),
    ]),
  ]
}

/** The first lines that say something: not the calls, nor how many lines differ. */
function beginningOf(error) {
  return stripVTControlCharacters(error)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(at |[-+] (Expected|Received) +[-+] \d+$)/.test(line))
    .slice(0, ERROR_LINES)
}

function cut(line) {
  return line.length > LINE_LENGTH_MAX ? `${line.slice(0, LINE_LENGTH_MAX - 3)}...` : line
}
