import { expect, test } from '@jest/globals'
import { whyInconclusive } from './chaos-run.js'

const loud = {
  kills: 8,
  outages: 0,
  clientRetries: 5,
  duplicates: 40,
  rejected: 7,
  deadLettered: 9,
  framesReplayed: 0,
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
