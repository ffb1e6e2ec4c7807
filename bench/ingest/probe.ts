// Sends single events and looks for them, in a separate process so that the load does not delay its clock.
import { ownCpuSeconds, printReport, readTask } from '../lib/json-process.js'
import { type ProbeOptions, runProbes } from '../load/run-probes.js'

const report = await runProbes(readTask<ProbeOptions>())
printReport({ ...report, messageIds: undefined, cpuSeconds: ownCpuSeconds() })
