import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

const CI_RUN = fileURLToPath(new URL('../../../.ci/run', import.meta.url))

/** Runs .ci/run with a program in place of npm; each step runs the shell commands given for it. */
function runCi(steps: { check?: string; footprint?: string; mutants?: string; test?: string }) {
  const { check = ':', footprint = ':', mutants = ':', test = 'echo 5 passed, 0 failed, 0 skipped' } = steps
  const directory = mkdtempSync(join(tmpdir(), 'millrace-ci-run-'))
  try {
    const cases = `*footprint*) ${footprint};; *mutants*) ${mutants};; test*) ${test};; *) ${check};;`
    writeFileSync(join(directory, 'npm'), `#!/bin/sh\ncase "$*" in ${cases} esac\n`, { mode: 0o755 })
    const env = { ...process.env, PATH: `${directory}:${process.env.PATH}` }
    const { status, stdout } = spawnSync('bash', [CI_RUN], { encoding: 'utf8', env })
    return { status, lines: stdout.trimEnd().split('\n') }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

describe('.ci/run', () => {
  it('ends with the time and the result of each step, and with the line of the tests as the very last one', () => {
    const { status, lines } = runCi({
      check: 'echo all checks passed',
      test: 'echo installing; echo 5 passed, 0 failed, 0 skipped',
    })
    expect(status).toBe(0)
    expect(lines.slice(0, 2)).toEqual(['all checks passed', 'installing'])
    expect(lines.slice(2).map((line) => line.replace(/^ *\d+ s/, '_ s'))).toEqual([
      '',
      'Steps of .ci/run:',
      '_ s  npm run check: ok',
      '_ s  npm run bench -- footprint --check: ok',
      '_ s  npm run mutants -- --short: ok',
      '_ s  npm test: ok',
      '_ s  in all',
      '5 passed, 0 failed, 0 skipped',
    ])
  })

  it.each(['check', 'footprint', 'mutants', 'test'])(
    'fails, and names the step that failed, when only the step "%s" fails',
    (step) => {
      const { status, lines } = runCi({ [step]: '{ echo 4 passed, 1 failed, 0 skipped; exit 3; }' })
      expect(status).toBe(1)
      expect(lines.filter((line) => line.includes('FAILED (exit code 3)'))).toEqual([expect.stringContaining(step)])
      expect(lines.filter((line) => line.endsWith(': ok'))).toHaveLength(3)
      expect(lines.at(-1)).toBe(step === 'test' ? '4 passed, 1 failed, 0 skipped' : '5 passed, 0 failed, 0 skipped')
    },
  )

  it('shows the failed tests again behind all other output, before the times of the steps', () => {
    const { lines } = runCi({
      test: '{ echo a.test.ts >$CI_FAILURES_FILE; echo "  stores a line" >>$CI_FAILURES_FILE; echo 4 passed, 1 failed, 0 skipped; exit 1; }',
    })
    const from = lines.indexOf('Failed in npm test:')
    expect(lines.slice(from, from + 5)).toEqual([
      'Failed in npm test:',
      'a.test.ts',
      '  stores a line',
      '',
      'Steps of .ci/run:',
    ])
  })

  it('shows the last lines of a failed step without a list of tests, from both of its outputs', () => {
    const { lines } = runCi({ check: '{ seq 20; echo "app.ts: unused" >&2; exit 1; }' })
    const from = lines.indexOf('The last lines of npm run check:')
    expect(lines.slice(from + 1, from + 16)).toEqual([
      ...Array.from({ length: 14 }, (_, i) => `${i + 7}`),
      'app.ts: unused',
    ])
    expect(lines.at(-1)).toBe('5 passed, 0 failed, 0 skipped')
  })
})
