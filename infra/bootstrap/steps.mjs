// What all commands of this folder begin with. It uses Node's own modules only, since it runs before any package is installed.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endWithNpm } from './end-with-npm.mjs'
import { spawnGroup } from './process-group.mjs'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The version that writes the lockfile; package.json names the same one. */
const PNPM = 'pnpm@12.21.0'
const NODE_MIN = [20, 19]

/** Files that hold a hash of everything the installed packages and the compiled code were made from. */
const INSTALLED = join(ROOT, 'node_modules/.millrace-installed')
const BUILT = join(ROOT, 'node_modules/.millrace-built')

endWithNpm()
// A terminal or a pipe that is gone must not keep a command from ending its processes.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

/** rememberChild of local-stack, once it is built. */
let remember

/** Prints one line. */
export function say(line) {
  process.stdout.write(`${line}\n`)
}

/** Prints the reason and ends the program with exit code 1. */
export function fail(reason) {
  process.stderr.write(`${reason}\n`)
  process.exit(1)
}

/** Makes sure that the code can run: checks Node's version, installs packages and, unless `builds` is false, compiles the code. */
export async function prepare({ builds = true } = {}) {
  checkNode()
  // A plain `npm install` leaves this file behind, and the next one would read it.
  rmSync(join(ROOT, 'package-lock.json'), { force: true })
  await install()
  if (!builds) return
  await build()
  const { rememberChild } = await import('../../packages/local-stack/dist/index.js')
  remember = rememberChild
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return
  fail(
    `Millrace needs Node ${NODE_MIN.join('.')} or newer, and this is ${process.version}: install a newer version from nodejs.org`,
  )
}

async function install() {
  const state = hashOf([join(ROOT, 'pnpm-lock.yaml'), join(ROOT, 'pnpm-workspace.yaml'), ...manifests()])
  if (stateIn(INSTALLED) === state) return
  await step('installing packages from the lockfile', () => pnpm(['install', '--frozen-lockfile']), {
    remedy: 'check with "npm ping" whether the package registry can be reached',
  })
  writeFileSync(INSTALLED, state)
}

async function build() {
  const state = hashOf(sources())
  if (stateIn(BUILT) === state && projects().every((path) => existsSync(join(path, 'dist')))) return
  await step('building', () => pnpm(['exec', 'turbo', 'run', 'build', '--output-logs=errors-only']))
  writeFileSync(BUILT, state)
}

/** Runs one step and prints its name before and its time after it. Ends the program when the step fails. */
async function step(what, work, { remedy } = {}) {
  say(`${what} ...`)
  const start = performance.now()
  const code = await work()
  if (code !== 0) fail(`${what} failed${remedy ? `: ${remedy}` : ''}`)
  say(`${what}: done after ${((performance.now() - start) / 1000).toFixed(1)} s`)
}

/** Runs pnpm by npx, since corepack may be missing or unable to check signatures behind a mirror. */
export function pnpm(args) {
  return run('npx', ['-y', PNPM, ...args])
}

/** Runs a program, which prints to our output, and resolves with its exit code. Whatever ends this command ends the program and all of its processes. */
export function run(command, args, { env = {}, cwd = ROOT } = {}) {
  const settings = { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', ...env }
  return new Promise((resolve) => {
    const stdio = ['ignore', 'inherit', 'inherit']
    const child = startProgram(command, args, { cwd, stdio, env: { ...process.env, ...settings } })
    child.once('error', (error) => {
      process.stderr.write(`${command}: ${error.message}\n`)
      resolve(127)
    })
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

/** See `spawnGroup`. */
export function startProgram(command, args, options) {
  return spawnGroup(command, args, { ...options, remember })
}

/** Folders of the apps, the packages and bench. */
function projects() {
  const below = ['apps', 'packages'].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => join(ROOT, folder, name)),
  )
  return [...below, join(ROOT, 'bench')].filter((path) => existsSync(join(path, 'package.json')))
}

function manifests() {
  return [ROOT, ...projects()].map((path) => join(path, 'package.json')).filter(existsSync)
}

/** Every file that the compiled code is made from. */
function sources() {
  const files = [join(ROOT, 'tsconfig.base.json'), join(ROOT, 'turbo.json'), join(ROOT, 'pnpm-lock.yaml')]
  for (const path of projects())
    files.push(
      join(path, 'package.json'),
      join(path, 'tsconfig.json'),
      ...filesBelow(path.endsWith('bench') ? path : join(path, 'src')),
    )
  return files.filter(existsSync)
}

function filesBelow(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (['dist', 'node_modules', 'results'].includes(entry.name)) return []
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

function hashOf(files) {
  const hash = createHash('sha256').update(process.version)
  for (const file of files.sort()) hash.update(`${file}\0${statSync(file).size}\0`).update(readFileSync(file))
  return hash.digest('hex')
}

function stateIn(file) {
  mkdirSync(join(ROOT, 'node_modules'), { recursive: true })
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}
