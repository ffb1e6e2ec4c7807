// npm run check: checks everything about the code that can be known without running it. All checks run, and one failure makes the command fail.
// npm run check -- fidelity [--write]: sends difficult values over every wire of log lines, and compares what a search finds with
// docs/reference/fidelity.md; npm test does the same. With --write the page is written.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFolderCycles } from '../checks/folder-cycles.mjs'
import { fail, pnpm, prepare, ROOT, run, say } from './steps.mjs'

const bin = (name) => join(ROOT, 'node_modules/.bin', name)

/** dependency-cruiser reports no violation when its parser reads nothing, so reading fewer modules than this is a failure. */
const MODULES_MIN = 100

const CHECKS = {
  // First, since oxlint and the tables of settings read the compiled code.
  'it builds (turbo)': () => pnpm(['exec', 'turbo', 'run', 'build', '--output-logs=errors-only']),
  'format, lint, import order (biome)': () =>
    run(bin('biome'), ['ci', '--error-on-warnings', '--colors=off', '--max-diagnostics=200', '.']),
  'lint with types (oxlint)': () =>
    run(bin('oxlint'), ['--type-aware', '--deny-warnings', 'apps', 'packages', 'infra', 'bench']),
  'types, tests included (tsc)': () => run(bin('tsc'), ['-p', 'tsconfig.check.json']),
  'boundaries and cycles (dependency-cruiser)': checkBoundaries,
  'dead code (knip)': () => run(bin('knip'), ['--no-progress', '--no-config-hints']),
  'protobuf (buf lint)': () => run(bin('buf'), ['lint', 'packages/contracts']),
  'generated code is current (buf generate)': checkGenerated,
  'tables of settings are current': checkSettingsTables,
  'snippets in READMEs compile (tsc)': () => run(process.execPath, ['infra/checks/readme-snippets.mjs']),
  'reference pages are current': () => run(process.execPath, ['infra/reference/generate.mjs', '--check']),
  'shared names have one owner': () => run(process.execPath, ['infra/checks/owned-names.mjs']),
  'lists of mutants fit the code': () => run(process.execPath, ['infra/bootstrap/mutants.mjs', '--list', '--quiet']),
  'sizes of files and functions (warnings only)': () => run(process.execPath, ['infra/checks/sizes.mjs']),
  'the lockfile names no registry': checkLockfile,
  'docker-compose.yml and Dockerfile': () => run(process.execPath, ['infra/docker/check.mjs']),
}

const [name, ...options] = process.argv.slice(2)
if (name === 'fidelity') process.exit(await checkFidelity())
if (name !== undefined) fail('usage: npm run check, or npm run check -- fidelity [--write]')

await prepare({ builds: false })
const failed = []
for (const [name, check] of Object.entries(CHECKS)) {
  const start = performance.now()
  const code = await check().catch((error) => {
    say(error.message)
    return 1
  })
  if (code !== 0) failed.push(name)
  say(`${code === 0 ? 'ok    ' : 'FAILED'}  ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
}
say(
  failed.length === 0
    ? 'all checks passed'
    : `${failed.length} of ${Object.keys(CHECKS).length} checks failed: ${failed.join('; ')}`,
)
process.exitCode = failed.length === 0 ? 0 : 1

async function checkFidelity() {
  await prepare()
  const jest = ['node_modules/jest/bin/jest.js', 'apps/log-shipper/test/fidelity']
  const env = { NODE_OPTIONS: '--experimental-vm-modules --no-warnings' }
  if (options.includes('--write')) env.MILLRACE_FIDELITY_WRITE = '1'
  return await run(process.execPath, jest, { env })
}

async function checkBoundaries() {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-check-'))
  const report = join(folder, 'report.json')
  const args = ['--config', '.dependency-cruiser.mjs', 'apps', 'packages', 'bench']
  try {
    await run(bin('depcruise'), [...args, '-T', 'json', '-f', report])
    const { modules, summary } = JSON.parse(readFileSync(report, 'utf8'))
    const { totalCruised, violations } = summary
    for (const { rule, from, to, cycle } of violations) {
      say(`${rule.name}: ${from} -> ${cycle ? cycle.map(({ name }) => name).join(' -> ') : to}`)
    }
    const cycles = findFolderCycles(modules)
    for (const cycle of cycles) say(`no-folder-cycles: ${cycle.join(' -> ')}`)
    if (totalCruised >= MODULES_MIN) return violations.length + cycles.length
    say(`only ${totalCruised} modules were read, fewer than ${MODULES_MIN}, so the parser does not work`)
    return 1
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Generates into a temporary folder and compares. */
async function checkGenerated() {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-check-'))
  const contracts = join(ROOT, 'packages/contracts')
  try {
    const code = await run(process.execPath, [join(contracts, 'scripts/generate.mjs'), folder])
    if (code !== 0) return code
    const [fresh, kept] = [filesOf(join(folder, 'src/gen')), filesOf(join(contracts, 'src/gen'))]
    const changed = [...new Set([...fresh.keys(), ...kept.keys()])].filter((name) => fresh.get(name) !== kept.get(name))
    for (const name of changed)
      say(`packages/contracts/src/gen/${name} is out of date: run node packages/contracts/scripts/generate.mjs`)
    return changed.length
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Made from the compiled schemas. */
function checkSettingsTables() {
  const apps = readdirSync(join(ROOT, 'apps')).map((name) => join('apps', name))
  return run(process.execPath, ['packages/service/dist/settings-table.js', '--check', ...apps])
}

function filesOf(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = entries.map((entry) => join(entry.parentPath ?? entry.path, entry.name))
  return new Map(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]))
}

/** A URL in the lockfile would tie every installation to the registry of the person who wrote it. */
async function checkLockfile() {
  const lines = readFileSync(join(ROOT, 'pnpm-lock.yaml'), 'utf8').split('\n')
  const bad = lines.filter((line) => /https?:\/\/|tarball:/.test(line))
  for (const line of bad) say(`pnpm-lock.yaml: ${line.trim()}`)
  return bad.length
}
