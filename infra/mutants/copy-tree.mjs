import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, realpathSync, symlinkSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { ROOT } from '../bootstrap/steps.mjs'

/**
 * Copies the checkout, uncommitted changes included, into a temporary directory, with its compiled code. Installed packages are linked; links between
 * our own packages lead to their copies, so that a change in the copy reaches everything that imports it. Returns the directory and how to remove it.
 */
export async function copyTree() {
  const { removeTemporary, temporaryDirectory } = await import('../../packages/local-stack/dist/index.js')
  const temporary = temporaryDirectory('millrace-mutants-')
  const copy = realpathSync(temporary)
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  for (const file of list.toString().split('\0')) {
    if (file === '' || !existsSync(join(ROOT, file))) continue
    copyInto(copy, file)
  }
  const projects = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(ROOT, parent)).map((name) => join(parent, name)),
  )
  for (const project of ['.', 'bench', ...projects]) {
    if (existsSync(join(ROOT, project, 'dist'))) copyInto(copy, join(project, 'dist'))
    linkModules(join(ROOT, project, 'node_modules'), join(copy, project, 'node_modules'), copy)
  }
  if (existsSync(join(ROOT, '.cache'))) symlinkSync(join(ROOT, '.cache'), join(copy, '.cache'))
  return { copy, remove: () => removeTemporary(temporary) }
}

function copyInto(copy, path) {
  mkdirSync(dirname(join(copy, path)), { recursive: true })
  cpSync(join(ROOT, path), join(copy, path), { recursive: true, preserveTimestamps: true })
}

/** A folder of links to the same targets as `from`, but to the copies of our own packages. */
function linkModules(from, to, copy) {
  if (!existsSync(from)) return
  mkdirSync(to, { recursive: true })
  for (const name of readdirSync(from)) {
    const source = join(from, name)
    if (name.startsWith('@') && !lstatSync(source).isSymbolicLink()) linkModules(source, join(to, name), copy)
    else symlinkSync(targetOf(realpathSync(source), copy), join(to, name))
  }
}

function targetOf(target, copy) {
  const path = relative(realpathSync(ROOT), target)
  const isOurs = /^(packages|apps)$/.test(path.split(sep)[0] ?? '') && !path.split(sep).includes('node_modules')
  return isOurs ? join(copy, path) : target
}
