// One contestant in a process of its own: node contestant.js NAME LINES URL. Lines go to standard output or to URL, the figures to the parent process.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { openContestant } from './contestants.js'

const [name = '', count = '0', url = ''] = process.argv.slice(2)
const BURST = 50
const WARM_UP = 20_000

const warmUp = openContestant(name, url)
for (let done = 0; done < WARM_UP; done += BURST) {
  for (let i = 0; i < BURST; i++) warmUp.log('warming up', fieldsOf(done + i))
  await nextTurn()
}

const contestant = name.includes('HTTP') || name.includes('shipper') ? warmUp : openContestant(name, url)
const lines = Number(count)
let callerNs = 0n
const cpu = process.cpuUsage()
const startedAt = performance.now()
for (let done = 0; done < lines; done += BURST) {
  const fields = Array.from({ length: BURST }, (_, i) => fieldsOf(done + i))
  const before = process.hrtime.bigint()
  for (const one of fields) contestant.log('measured', one)
  callerNs += process.hrtime.bigint() - before
  // A service answers requests between its lines; queues are worked off there.
  await nextTurn()
}
await contestant.finish(lines)
const elapsedMs = performance.now() - startedAt
const { user, system } = process.cpuUsage(cpu)
process.send?.({ callerNs: Number(callerNs) / lines, cpuUs: (user + system) / lines, elapsedMs }, () => process.exit(0))

function fieldsOf(i: number): Record<string, unknown> {
  return {
    method: 'GET',
    path: `/api/v3/orders/${i}`,
    status: 200,
    duration_ms: (i % 1000) / 10,
    password: 'hunter2',
    note: i % 100 === 0 ? 'card 4111 1111 1111 1111' : 'nothing to mask here',
    user: { id: `u-${i}`, email: 'bob@example.com', card: '4111 1111 1111 1111' },
  }
}
