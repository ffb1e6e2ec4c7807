import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../bootstrap/steps.mjs'

const TEXTS = ['promise', 'file', 'find', 'replace', 'why']

/**
 * Reads the list mutants.json of each app and package and of bench. Each entry is a mutant:
 * - `promise`: what the product promises, in the words of a README;
 * - `file`: relative to the folder of the list, or to the root of the repository;
 * - `find`, `replace`: the change that breaks the promise; `find` must occur exactly once in the file;
 * - `tests`: patterns of paths as Jest takes them; at least one of these tests must fail with the change;
 * - `why`: what the change does;
 * - `short` (optional): the tests need no compiled code and take seconds, so that the mutant is tried on every run of CI.
 * Entries that cannot be used are reported as problems, one sentence each.
 */
export function loadMutants({ package: wanted, promise, isShort }) {
  const mutants = []
  const problems = []
  for (const folder of folders().filter(
    (path) => wanted === undefined || path === wanted || path.endsWith(`/${wanted}`),
  )) {
    const list = join(folder, 'mutants.json')
    for (const [index, entry] of readList(list, problems).entries()) {
      const problem = findProblem(folder, entry)
      if (problem !== undefined) problems.push(`${list}: entry ${index + 1}: ${problem}`)
      else mutants.push({ ...entry, list, path: pathOf(folder, entry.file) })
    }
  }
  const chosen = mutants.filter(
    (mutant) => (!isShort || mutant.short === true) && (promise === undefined || mutant.promise.includes(promise)),
  )
  return { mutants: chosen, problems }
}

function folders() {
  const below = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(ROOT, parent)).map((name) => join(parent, name)),
  )
  return [...below, 'bench'].filter((folder) => existsSync(join(ROOT, folder, 'mutants.json')))
}

function readList(list, problems) {
  try {
    return JSON.parse(readFileSync(join(ROOT, list), 'utf8'))
  } catch (error) {
    problems.push(`${list}: ${error.message}`)
    return []
  }
}

function findProblem(folder, entry) {
  const missing = TEXTS.filter((name) => typeof entry[name] !== 'string')
  if (missing.length > 0) return `no text for ${missing.join(', ')}`
  if (!Array.isArray(entry.tests) || entry.tests.length === 0)
    return 'tests must be a list of at least one path pattern'
  const path = pathOf(folder, entry.file)
  if (path === undefined) return `there is no file ${entry.file}`
  const count = readFileSync(join(ROOT, path), 'utf8').split(entry.find).length - 1
  if (count !== 1) return `"find" occurs ${count} times in ${path}, and must occur once: ${JSON.stringify(entry.find)}`
  if (entry.find === entry.replace) return '"find" and "replace" are equal'
  return undefined
}

function pathOf(folder, file) {
  return [join(folder, file), file].find((path) => existsSync(join(ROOT, path)))
}
