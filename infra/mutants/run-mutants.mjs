import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { signalGroup } from '../bootstrap/process-group.mjs'
import { startProgram } from '../bootstrap/steps.mjs'
import { copyTree } from './copy-tree.mjs'

/** A run that takes longer hangs, and a hanging test is a failing one. */
const RUN_MS_MAX = 600_000
const OUTPUT_LINES = 30
/** A change may make a test wait for ever, which the long limit of jest.config.mjs would draw out. */
const TEST_MS_MAX = { short: 15_000, long: 90_000 }

/**
 * Tries each mutant in a copy of the checkout. First all tests run once without a change, since a test that fails anyway kills nothing. With `msMax`, that
 * run is left out (CI runs all tests anyway), and mutants are tried until the time is over, beginning with another one every day. Returns how many
 * mutants were killed (a test failed, or did not end in time), survived (all tests passed) or could not be tried.
 */
export async function runMutants(mutants, { say, isShort, msMax }) {
  if (mutants.length === 0) return { killed: 0, survived: 0, errors: 0 }
  const { copy, remove } = await copyTree()
  // A signal ends the tests and then this process.
  process.once('exit', remove)
  try {
    if (msMax !== undefined) return await tryAll(fromTodaysOn(mutants), { copy, say, isShort, msMax })
    const tests = [...new Set(mutants.flatMap((mutant) => mutant.tests))]
    const before = await runTests(copy, tests, { isShort: false })
    if (before.outcome !== 'survived') {
      say(`the tests fail without any change, so nothing can be told from them (${before.outcome}):\n${before.output}`)
      return { killed: 0, survived: 0, errors: mutants.length }
    }
    return await tryAll(mutants, { copy, say, isShort, msMax: Number.POSITIVE_INFINITY })
  } finally {
    process.removeListener('exit', remove)
    remove()
  }
}

/** Mutants in an order that begins at another place every day and takes the lists in turn. */
function fromTodaysOn(mutants) {
  const perList = new Map()
  const turns = mutants.map((mutant) => {
    const turn = perList.get(mutant.list) ?? 0
    perList.set(mutant.list, turn + 1)
    return { mutant, turn }
  })
  const ordered = turns.sort((a, b) => a.turn - b.turn).map(({ mutant }) => mutant)
  const start = (7 * Math.floor(Date.now() / 86_400_000)) % ordered.length
  return [...ordered.slice(start), ...ordered.slice(0, start)]
}

async function tryAll(mutants, { copy, say, isShort, msMax }) {
  const counts = { killed: 0, survived: 0, errors: 0 }
  const begunAt = performance.now()
  for (const [index, mutant] of mutants.entries()) {
    const startedAt = performance.now()
    if (startedAt - begunAt > msMax) {
      say(`the time is over: ${mutants.length - index} of ${mutants.length} mutants were not tried`)
      break
    }
    const { outcome, output } = await tryOne(mutant, { copy, isShort })
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    say(`${outcome.padEnd(8)} ${mutant.promise} (${mutant.path}: ${mutant.why}; ${seconds} s)`)
    if (outcome === 'error') say(output)
    counts[{ killed: 'killed', timeout: 'killed', survived: 'survived', error: 'errors' }[outcome]]++
  }
  return counts
}

async function tryOne({ path, find, replace, tests }, { copy, isShort }) {
  const file = join(copy, path)
  const original = readFileSync(file, 'utf8')
  // A function, since a text would have `$&` and the like replaced.
  writeFileSync(
    file,
    original.replace(find, () => replace),
  )
  try {
    return await runTests(copy, tests, { isShort })
  } finally {
    writeFileSync(file, original)
  }
}

/**
 * Runs tests in the copy. `error`: no test was found, or no test ran, because the changed code does not even load. The compiled code is brought up to
 * date first, unless `isShort`.
 */
async function runTests(copy, tests, { isShort }) {
  const report = join(copy, 'jest-report.json')
  rmSync(report, { force: true })
  const args = [
    '--experimental-vm-modules',
    '--no-warnings',
    'node_modules/jest/bin/jest.js',
    '--silent',
    '--forceExit',
  ]
  const child = startProgram(
    process.execPath,
    [...args, `--testTimeout=${TEST_MS_MAX[isShort ? 'short' : 'long']}`, '--json', `--outputFile=${report}`, ...tests],
    {
      cwd: copy,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...(isShort && { MILLRACE_TESTS_SKIP_BUILD: '1' }) },
    },
  )
  const { hasTimedOut, output } = await outputOf(child)
  if (hasTimedOut) return { outcome: 'timeout', output }
  return { outcome: existsSync(report) ? judge(JSON.parse(readFileSync(report, 'utf8'))) : 'error', output }
}

function judge({ success, numTotalTests, numFailedTests, testResults }) {
  if (numFailedTests > 0) return 'killed'
  if (numTotalTests === 0) return 'error'
  // A failure outside of a test, such as a leak that is found after the last one.
  return success
    ? 'survived'
    : testResults.some(({ assertionResults }) => assertionResults.length > 0)
      ? 'killed'
      : 'error'
}

/** The last lines that a process prints until it ends; it is killed with everything below it when it takes too long. */
function outputOf(child) {
  let text = ''
  let hasTimedOut = false
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk) => {
      text = (text + chunk).slice(-20_000)
    })
  }
  const timer = setTimeout(() => {
    hasTimedOut = true
    signalGroup(child.pid, 'SIGKILL')
  }, RUN_MS_MAX)
  return new Promise((resolve) => {
    child.once('close', () => {
      clearTimeout(timer)
      resolve({ hasTimedOut, output: text.split('\n').slice(-OUTPUT_LINES).join('\n') })
    })
  })
}
