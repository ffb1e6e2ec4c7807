// npm test: runs every test on real servers. Arguments are passed to Jest. The last line is `N passed, N failed, N skipped`.
import { prepare, run } from './steps.mjs'

await prepare()
const jest = ['node_modules/jest/bin/jest.js', ...process.argv.slice(2)]
process.exitCode = await run(process.execPath, jest, {
  env: { NODE_OPTIONS: '--experimental-vm-modules --no-warnings' },
})
