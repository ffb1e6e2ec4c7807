// npm run mutants -- [--package NAME] [--promise TEXT] [--short] [--seconds N] [--list [--quiet]]: breaks the code in a copy, once for each entry of the lists
// mutants.json, and runs the tests that must notice. --seconds tries as many as there is time for, others every day. The exit code is 1 when one survives.
import { parseArgs } from 'node:util'
import { loadMutants } from '../mutants/load-mutants.mjs'
import { runMutants } from '../mutants/run-mutants.mjs'
import { fail, prepare, say } from './steps.mjs'

const { values } = parseArgs({
  options: {
    package: { type: 'string' },
    promise: { type: 'string' },
    short: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    list: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
})
const { mutants, problems } = loadMutants({
  package: values.package,
  promise: values.promise,
  isShort: values.short,
})
for (const problem of problems) say(problem)
if (mutants.length === 0 && problems.length === 0) fail('no entry of a mutants.json matches')
if (values.list) {
  for (const { list, promise, why } of values.quiet ? [] : mutants) say(`${list}: ${promise}: ${why}`)
  say(`${mutants.length} mutants, ${problems.length} errors`)
  process.exitCode = problems.length === 0 ? 0 : 1
} else {
  await prepare()
  const { killed, survived, errors } = await runMutants(mutants, {
    say,
    isShort: values.short,
    ...(values.seconds !== undefined && { msMax: Number(values.seconds) * 1000 }),
  })
  say(`${killed} killed, ${survived} survived, ${errors + problems.length} errors`)
  process.exitCode = survived + errors + problems.length === 0 ? 0 : 1
}
