import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import type { PartitionDescription } from '../driver/stream-driver.js'
import { MemoryDriver } from '../drivers/memory/driver.js'
import { completeSettings } from './complete-settings.js'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import { Maintenance } from './maintenance.js'
import { PartitionState } from './partition-state.js'

describe('the lag of a group', () => {
  /** The lag in frames of a group that has read 2 frames. */
  async function lagOf(described: Omit<PartitionDescription, 'partition'>): Promise<unknown> {
    const driver = new MemoryDriver()
    driver.describe = async () => [{ partition: 0, ...described }]
    driver.tail = async () => []
    const lags: { readonly frames: number | undefined }[] = []
    const metrics = { lag: (_: number, lag: { readonly frames: number | undefined }) => lags.push(lag) }
    const context = {
      config: { driver, stream: 'lines', group: 'g' },
      settings: completeSettings({ partitions: 1 }),
      logger: silentLogger,
      metrics,
      now: () => 0,
    } as unknown as ConsumerContext<unknown, SqlTransaction>
    const taken = { partition: 0, epoch: 1, position: '2', nextOrdinal: 2, frames: 2, flushedPosition: '2' }
    const state = new PartitionState({ ...taken, flushedOrdinal: 2, watermarkMs: undefined }, [], false)
    await new Maintenance(context).run(new Map([[0, state]]))
    return lags[0]?.frames
  }

  it('is 0 when the server of the stream has removed all frames, also those that were not read', async () => {
    expect(await lagOf({ first: '', last: '9', frames: 0, framesEver: 9 })).toBe(0)
  })

  it('does not count frames that the server of the stream has removed unread', async () => {
    expect(await lagOf({ first: '8', last: '9', frames: 2, framesEver: 9 })).toBe(2)
  })

  it('counts the frames that were not read', async () => {
    expect(await lagOf({ first: '1', last: '9', frames: 9, framesEver: 9 })).toBe(7)
  })
})
