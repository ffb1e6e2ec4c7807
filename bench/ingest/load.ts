// The load generator as a separate process, so that its processor time is not counted as that of the stack.
import { ownCpuSeconds, printReport, readTask } from '../lib/json-process.js'
import { type LoadOptions, runLoad } from '../load/run-load.js'

const report = await runLoad(readTask<LoadOptions>())
printReport({ ...report, cpuSeconds: ownCpuSeconds() })
