// npm run chunk -- dump FILE | head FILE: prints the rows of a file of columns as JSON lines, or its head. FILE is a chunk or a batch (docs/formats).
import { join } from 'node:path'
import { prepare, ROOT, run } from './steps.mjs'

await prepare()
// npm changes the folder; the file is named from where the user is.
const cwd = process.env.INIT_CWD || process.cwd()
const program = join(ROOT, 'packages/column-store/dist/chunk-cli.js')
process.exitCode = await run(process.execPath, [program, ...process.argv.slice(2)], { cwd })
