// npm start: from a clone to a running stack.
import { give, prepare, say } from './steps.mjs'

const startedAt = Date.now()
await prepare()
const { runStack } = await import('../../packages/local-stack/dist/index.js')
try {
  process.exit(await runStack(startedAt, say))
} catch (error) {
  give(error.message)
}
