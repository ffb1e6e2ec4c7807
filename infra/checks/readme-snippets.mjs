// node infra/checks/readme-snippets.mjs
// Compiles the TypeScript and JavaScript snippets of all READMEs, so that they cannot drift from the code.
//
// An HTML comment `<!-- snippet … -->` before a snippet holds the code around it, which readers need not see: imports and
// `declare const` lines. A line `…` in it marks the place of the snippet; without one the snippet comes last. A README outside of a
// package says `<!-- snippet in apps/x … -->` to name the folder whose dependencies the snippet uses.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../bootstrap/steps.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const CONFIG = join(root, 'tsconfig.snippets.json')
/** With fewer snippets than this the search for them is broken. */
const SNIPPETS_MIN = 10

const snippets = readmes().flatMap(readSnippets)
if (snippets.length < SNIPPETS_MIN) {
  process.stderr.write(`only ${snippets.length} snippets were found, fewer than ${SNIPPETS_MIN}\n`)
  process.exit(1)
}
try {
  for (const { file, code } of snippets) writeFileSync(file, code)
  const include = snippets.map(({ file }) => relative(root, file))
  writeFileSync(CONFIG, JSON.stringify({ extends: './tsconfig.check.json', include, exclude: [] }))
  process.exitCode = await run(join(root, 'node_modules/.bin/tsc'), ['-p', CONFIG])
} finally {
  for (const { file } of snippets) rmSync(file, { force: true })
  rmSync(CONFIG, { force: true })
}
if (process.exitCode === 0) process.stdout.write(`${snippets.length} snippets compile\n`)

function readmes() {
  const folders = ['apps', 'packages'].flatMap((folder) =>
    readdirSync(join(root, folder)).map((name) => join(root, folder, name)),
  )
  return [root, ...folders].map((folder) => join(folder, 'README.md')).filter((path) => existsSync(path))
}

/** The snippets of a README, each with the file that it is compiled as. */
function readSnippets(readme) {
  const pattern = /(?:<!-- snippet(?: in (\S+))?\n([\s\S]*?)-->\s*)?```(?:ts|js)\n([\s\S]*?)```/g
  return [...readFileSync(readme, 'utf8').matchAll(pattern)].map(([, folder, context = '', snippet], index) => ({
    file: join(folder === undefined ? dirname(readme) : join(root, folder), `readme-snippet-${index}.ts`),
    code: /^…$/m.test(context) ? context.replace(/^…$/m, () => snippet) : `${context}\n${snippet}\nexport {}\n`,
  }))
}
