// The load generator, a process of its own so that its processor time can be told from that of the stack.
import { runLoad } from '../dist/load/index.js'

const report = await runLoad(JSON.parse(process.argv[2]))
const { user, system } = process.cpuUsage()
process.stdout.write(JSON.stringify({ ...report, cpuSeconds: (user + system) / 1e6 }))
