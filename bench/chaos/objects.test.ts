import { describe, expect, test } from '@jest/globals'
import { removeTemporary, temporaryDirectory } from '@millrace/local-stack'
import { findTestS3, startTestS3 } from '@millrace/testing'
import { createRandom } from '../lib/random.js'
import { ObjectRounds, type ObjectRoundsOptions, whyObjectsInconclusive } from './objects/object-rounds.js'

/* The short form of `npm run chaos -- --only objects`. */

const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 2 ** 31)
/** More than enough: usually the first round kills a writer during a long upload. */
const ROUNDS_MAX = 10
const found = findTestS3()
const testOnS3 = typeof found === 'string' ? test.skip : test
if (typeof found === 'string') console.warn(`NOT TESTED: an S3 server that is killed and frozen, because ${found}`)

const say = (line: string) => void process.stderr.write(`objects: ${line}\n`)

async function runUntilConclusive(options: Pick<ObjectRoundsOptions, 'target' | 'server' | 'faultsPerRound'>) {
  say(`seed ${SEED}; CHAOS_SEED=${SEED} repeats the choice of moments and victims`)
  const rounds = new ObjectRounds({ ...options, random: createRandom(SEED), freezeMsMax: 2000, say })
  try {
    for (let round = 1; ; round++) {
      await rounds.round()
      const findings = await rounds.finish()
      const reason = whyObjectsInconclusive(findings, options.server !== undefined)
      if (findings.faults.length > 0 || reason === undefined || round === ROUNDS_MAX) return { ...findings, reason }
    }
  } finally {
    await rounds.stop()
  }
}

describe('an object store whose server and writers are broken', () => {
  testOnS3(
    'keeps every acknowledged object on S3 byte for byte, shows no part of another, and lets one of several writers win',
    async () => {
      const server = await startTestS3(found as Exclude<typeof found, string>)
      try {
        const { url, credentials } = server
        const { faults, reason } = await runUntilConclusive({ target: { url, credentials }, server, faultsPerRound: 5 })
        expect({ faults, reason }).toEqual({ faults: [], reason: undefined })
      } finally {
        await server.stop()
      }
    },
  )

  test('keeps every acknowledged object in a folder byte for byte, shows no part of another, and lets one of several writers win', async () => {
    const directory = temporaryDirectory('millrace-chaos-objects-')
    try {
      const target = { url: `file:${directory}` }
      const { faults, reason } = await runUntilConclusive({ target, faultsPerRound: 2 })
      expect({ faults, reason }).toEqual({ faults: [], reason: undefined })
    } finally {
      removeTemporary(directory)
    }
  })
})
