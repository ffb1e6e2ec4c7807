// Warns about long files, long functions and functions with many parameters in product code. It never fails: a warning asks whether a split would help.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT, say } from '../bootstrap/steps.mjs'

const CONFIG = join(ROOT, 'infra/checks/sizes.oxlintrc.json')
const NOT_PRODUCT = /\.test\.ts$|\/(test|testing|e2e|gen|dist)\/|^packages\/testing\//

const result = spawnSync(join(ROOT, 'node_modules/.bin/oxlint'), ['-c', CONFIG, '-f', 'json', 'apps', 'packages'], {
  cwd: ROOT,
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
})
const { diagnostics } = JSON.parse(result.stdout)
const found = diagnostics.filter(({ filename }) => !NOT_PRODUCT.test(filename))
const of = (rule) => found.filter(({ code }) => code === `eslint(${rule})`)

for (const { filename, message, labels } of [...of('max-lines'), ...of('max-lines-per-function')])
  say(`warning: ${filename}:${labels[0]?.span.line ?? 1}: ${message}`)
say(
  `${of('max-lines').length} files have more than 300 lines, ${of('max-lines-per-function').length} functions more than 50`,
)
say(`${of('max-params').length} functions have more than three parameters`)
