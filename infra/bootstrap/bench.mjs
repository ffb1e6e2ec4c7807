// npm run bench -- SCENARIO [--seconds N]: runs run.ts of a folder of bench/, compiled.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fail, prepare, ROOT, run } from './steps.mjs'

const [scenario, ...args] = process.argv.slice(2)
const scenarios = readdirSync(join(ROOT, 'bench')).filter((name) => existsSync(join(ROOT, 'bench', name, 'run.ts')))
if (!scenarios.includes(scenario))
  fail(`usage: npm run bench -- SCENARIO [--seconds N], with SCENARIO one of: ${scenarios.join(', ')}`)
await prepare()
process.exitCode = await run(process.execPath, [join(ROOT, 'bench/dist', scenario, 'run.js'), ...args])
