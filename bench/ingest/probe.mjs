// Sends single events and looks for them, in a process of its own so that the load does not hold up its clock.
import { runProbes } from '../dist/load/index.js'

const report = await runProbes(JSON.parse(process.argv[2]))
const { user, system } = process.cpuUsage()
process.stdout.write(JSON.stringify({ ...report, messageIds: undefined, cpuSeconds: (user + system) / 1e6 }))
