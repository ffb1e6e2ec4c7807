import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

/** How much of each failure is shown, from most to least: characters of a title, lines of an error and characters of each such line. */
const DETAILS = [
  { title: 200, lines: 4, line: 160 },
  { title: 120, lines: 2, line: 120 },
  { title: 80, lines: 1, line: 90 },
  { title: 80, lines: 0, line: 0 },
]

/**
 * The failed files with the titles of their failed tests and what is essential of each error. At most `charactersMax` characters: the more failed, the less of each is
 * shown, and at last the list is cut and says so.
 */
export function listFailures(testResults, { root, charactersMax }) {
  const failed = testResults.filter(({ numFailingTests, testExecError }) => numFailingTests > 0 || testExecError)
  let lines = []
  for (const details of DETAILS) {
    lines = failed.flatMap((file) => linesOf(file, root, details))
    if (lengthOf(lines) <= charactersMax) return lines
  }
  const kept = []
  for (const line of lines) {
    if (lengthOf([...kept, line]) > charactersMax) break
    kept.push(line)
  }
  return [...kept, `... and ${lines.length - kept.length} more lines like these`]
}

function lengthOf(lines) {
  return lines.reduce((sum, line) => sum + line.length + 1, 0)
}

function linesOf({ testFilePath, testExecError, failureMessage, testResults }, root, details) {
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
  const essence = ({ error }) => essenceOf(error).slice(0, details.lines)
  return [
    relative(root, testFilePath),
    ...entries.flatMap((entry) => [
      `  ${cut(entry.title, details.title)}`,
      ...essence(entry).map((line) => `    ${cut(line, details.line)}`),
    ]),
  ]
}

/** The lines that say something: of a comparison those that differ; otherwise no calls, and no matcher unless it is all there is. */
function essenceOf(error) {
  const lines = stripVTControlCharacters(error)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(at |[-+] (Expected|Received) +[-+] \d+$)/.test(line))
  const different = lines.filter((line) => /^[-+] /.test(line))
  if (different.length > 0) return different
  const values = lines.filter((line) => !line.startsWith('Error: expect('))
  return values.length > 0 ? values : lines
}

/** Leaves out the middle of a text that is too long: titles begin alike, and say at their ends what is special. */
function cut(text, lengthMax) {
  if (text.length <= lengthMax) return text
  const half = Math.floor((lengthMax - 3) / 2)
  return `${text.slice(0, half)}...${text.slice(-half)}`
}
