import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import fc from 'fast-check'
import { openSpool } from '../src/open-spool.js'
import { type TextRecord, textCodec } from './text-codec.js'
import { type Survival, VolatileFileSystem } from './volatile-file-system.js'

/** A record by the promise it is under: it must be found after a power loss, or it may be found. */
interface Entry {
  readonly text: string
  promise: 'pending' | 'acknowledged' | 'removed'
}

type Step =
  | { readonly kind: 'append'; readonly sizes: readonly number[]; readonly isAwaited: boolean }
  | { readonly kind: 'remove'; readonly records: number; readonly isAwaited: boolean }

/** One run of a process: it works through the steps until the power fails during an operation, at the latest after the last step. */
interface ProcessRun {
  readonly steps: readonly Step[]
  readonly failsAt: number
  readonly survival: 'lost' | 'whole' | 'random'
  readonly seed: number
}

const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('append' as const),
    sizes: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 3 }),
    isAwaited: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('remove' as const),
    records: fc.integer({ min: 1, max: 5 }),
    isAwaited: fc.boolean(),
  }),
)
const runArbitrary: fc.Arbitrary<ProcessRun> = fc.record({
  steps: fc.array(stepArbitrary, { minLength: 1, maxLength: 12 }),
  failsAt: fc.integer({ min: 1, max: 60 }),
  survival: fc.constantFrom('lost', 'whole', 'random'),
  seed: fc.integer(),
})

const openOn = (files: VolatileFileSystem) =>
  openSpool({ directory: '/spool', segmentBytes: 100 }, { codec: textCodec, logger: silentLogger, files })

/** Runs one process on `files` and adds its records to `entries`; ends when the power fails or all steps are done. */
async function runProcess(files: VolatileFileSystem, steps: readonly Step[], entries: Entry[]): Promise<void> {
  const spool = await openOn(files)
  const running: Promise<void>[] = []
  let removing: Promise<void> = Promise.resolve()
  for (const step of steps) {
    if (step.kind === 'append') {
      const added = step.sizes.map((size): Entry => {
        const entry: Entry = { text: `${entries.length} ${'x'.repeat(size)}`, promise: 'pending' }
        entries.push(entry)
        return entry
      })
      const appended = spool.append(added.map(({ text }) => ({ key: 0, text }))).then(() => {
        for (const entry of added) if (entry.promise === 'pending') entry.promise = 'acknowledged'
      })
      running.push(appended)
      if (step.isAwaited) await appended
    } else {
      // One reader, as the spool requires; it runs concurrently with the appends.
      removing = removing.then(async () => {
        const read = new Set((await spool.read(step.records, 1000)).map(({ text }) => text))
        for (const entry of entries) if (read.has(entry.text)) entry.promise = 'removed'
        await spool.removeRead()
      })
      if (step.isAwaited) await removing
    }
  }
  await Promise.all([...running, removing])
}

async function readAll(files: VolatileFileSystem): Promise<TextRecord[]> {
  const spool = await openOn(files)
  const records: TextRecord[] = []
  for (let read = await spool.read(10, 1000); read.length > 0; read = await spool.read(10, 1000)) {
    records.push(...read)
    await spool.removeRead()
  }
  await spool.close()
  return records
}

/** Returns 'lost', 'half' or 'whole', the same for the same seed. */
function createSurvival({ survival, seed }: ProcessRun): () => Survival {
  let state = seed
  return () => {
    if (survival !== 'random') return survival
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return (['lost', 'half', 'whole'] as const)[(state >>> 16) % 3] as Survival
  }
}

describe('the spool', () => {
  it('holds every acknowledged record in order, without holes, after power losses at any operations', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(runArbitrary, { minLength: 1, maxLength: 3 }), async (runs) => {
        let files = new VolatileFileSystem(runs[0]?.failsAt)
        let entries: Entry[] = []
        for (const [index, run] of runs.entries()) {
          await Promise.race([runProcess(files, run.steps, entries), files.powerLoss])
          const next = (failsAt: number) => files.restart(failsAt, createSurvival(run))
          const found = (await readAll(next(Number.POSITIVE_INFINITY))).map(({ text }) => text)
          const from = entries.findIndex(({ text }) => text === found[0])
          expect(found).toEqual(entries.slice(from, from + found.length).map(({ text }) => text))
          const missing = entries.filter(({ text, promise }) => promise === 'acknowledged' && !found.includes(text))
          expect(missing).toEqual([])
          // A pending record that was not found will not come back; a found one is as good as an acknowledged one.
          entries = entries.filter(({ text, promise }) => promise === 'removed' || found.includes(text))
          for (const entry of entries) entry.promise = found.includes(entry.text) ? 'acknowledged' : 'removed'
          files = next(runs[index + 1]?.failsAt ?? 0)
        }
      }),
      { numRuns: 400 },
    )
  })
})
