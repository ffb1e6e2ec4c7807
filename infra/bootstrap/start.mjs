// npm start: from a clone to a running stack.
import { fail, prepare, say } from './steps.mjs'

const startedAt = Date.now()
await prepare()
const { runStack } = await import('../../packages/local-stack/dist/index.js')
try {
  process.exit(await runStack(startedAt, say))
} catch (error) {
  fail(error.message)
}
