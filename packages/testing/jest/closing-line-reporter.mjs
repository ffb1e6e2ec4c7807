/** Prints `N passed, N failed, N skipped` as the last line; a file that could not run counts as one failure. */
export default class ClosingLineReporter {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites
    const skipped = results.numPendingTests + results.numTodoTests
    const line = `${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`
    // Jest's own summary goes to stderr; both ends are flushed in order so that this stays the last line.
    process.stderr.write('', () => process.stdout.write(line))
  }
}
