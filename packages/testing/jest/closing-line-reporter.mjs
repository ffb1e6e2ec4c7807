import { writeFileSync } from 'node:fs'
import { listFailures } from './failure-list.mjs'

const LIST_LINES_MAX = 60

/**
 * Prints `N passed, N failed, N skipped` as the last line; a file that could not run counts as one failure. With CI_FAILURES_FILE it also writes
 * the failed tests to that file.
 */
export default class ClosingLineReporter {
  #rootDir

  constructor({ rootDir }) {
    this.#rootDir = rootDir
  }

  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites
    const skipped = results.numPendingTests + results.numTodoTests
    const line = `${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`
    const file = process.env.CI_FAILURES_FILE
    if (file) {
      const lines = listFailures(results.testResults, { root: this.#rootDir, linesMax: LIST_LINES_MAX })
      writeFileSync(file, lines.map((one) => `${one}\n`).join(''))
    }
    // Jest's own summary goes to stderr; both ends are flushed in order so that this stays the last line.
    process.stderr.write('', () => process.stdout.write(line))
  }
}
