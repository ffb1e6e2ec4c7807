// npm run chaos: the crash matrix and the outages at full length.
import { join } from 'node:path'
import { prepare, ROOT, run } from './steps.mjs'

await prepare()
process.exitCode = await run(process.execPath, [join(ROOT, 'bench/dist/chaos/run.js'), ...process.argv.slice(2)])
