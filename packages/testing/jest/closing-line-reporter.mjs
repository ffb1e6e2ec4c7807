import { writeFileSync } from 'node:fs'
import { listFailures } from './failure-list.mjs'

/** CI systems show about the last 2,000 characters of an output; the steps and their times need a part of them. */
const LIST_CHARACTERS_MAX = 1_400

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
      const lines = listFailures(results.testResults, { root: this.#rootDir, charactersMax: LIST_CHARACTERS_MAX })
      writeFileSync(file, lines.map((one) => `${one}\n`).join(''))
    }
    // Jest's own summary goes to stderr; both ends are flushed in order so that this stays the last line.
    process.stderr.write('', () => process.stdout.write(line))
  }
}
