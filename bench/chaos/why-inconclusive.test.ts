import { expect, test } from '@jest/globals'
import { type BrokerReport, whyClusterInconclusive } from './broker-cluster.js'
import { whyInconclusive } from './chaos-run.js'

const loud = {
  kills: 8,
  outages: 0,
  clientRetries: 5,
  duplicates: 40,
  rejected: 7,
  deadLettered: 9,
  framesReplayed: 0,
  framesResent: 0,
  framesSpooled: 0,
  takeovers: 3,
}

test.each([
  ['killed nothing', { kills: 0 }],
  ['made no client repeat a request', { clientRetries: 0 }],
  ['made nothing arrive twice', { duplicates: 0 }],
  ['made nothing be rejected', { rejected: 0 }],
  ['made no dead letter', { deadLettered: 0 }],
])('a run that %s does not pass as a proof', (_, change) => {
  expect(whyInconclusive(loud)).toBeUndefined()
  expect(whyInconclusive({ ...loud, ...change })).toBeDefined()
})

const brokerReport: BrokerReport = {
  name: 'each broker is killed',
  leadersMoved: [5, 6, 10],
  acknowledged: [90, 80, 70],
}
const loudCluster = { ...loud, framesResent: 3, framesSpooled: 20 }

test.each([
  ['moved no leader', { leadersMoved: [5, 0, 10] }, {}],
  ['acknowledged nothing while a broker was broken', { acknowledged: [90, 0, 70] }, {}],
  ['made the gateway send no frame again', {}, { framesResent: 0 }],
  ['made nothing arrive twice', {}, { duplicates: 0 }],
  ['sent nothing to the spool', {}, { framesSpooled: 0 }],
])('a run on three brokers that %s does not pass as a proof', (_, report, change) => {
  expect(whyClusterInconclusive([brokerReport], loudCluster)).toBeUndefined()
  expect(whyClusterInconclusive([{ ...brokerReport, ...report }], { ...loudCluster, ...change })).toBeDefined()
})
