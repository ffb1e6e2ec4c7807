import { describe, expect, it } from '@jest/globals'
import { PartitionState } from './partition-state.js'

const taken = {
  partition: 0,
  epoch: 1,
  position: '1-0',
  nextOrdinal: 0,
  frames: 0,
  flushedPosition: '1-0',
  flushedOrdinal: 0,
}

describe('the latest possible watermark of a partition', () => {
  it('is never earlier than a watermark that any owner has written', () => {
    const state = new PartitionState({ ...taken, watermarkMs: 500 }, [], false)
    expect(state.watermarkMaxMs).toBe(500)
    state.advance('2-0', 400)
    expect(state.watermarkMaxMs).toBe(500)
    state.advance('3-0', 700)
    expect(state.watermarkMaxMs).toBe(700)
    state.committed(state.takeCommit())
    state.noteEnd(900)
    expect([state.watermarkMaxMs, state.endSeenAtMs]).toEqual([900, 900])
    expect(new PartitionState({ ...taken, watermarkMs: undefined }, [], false).watermarkMaxMs).toBe(
      Number.NEGATIVE_INFINITY,
    )
  })

  it('does not move to the observed end of the stream when a frame was read during the observation', () => {
    const state = new PartitionState({ ...taken, watermarkMs: 500 }, [], false)
    state.advance('2-0', 600)
    state.noteEnd(900)
    expect([state.watermarkMaxMs, state.endSeenAtMs]).toEqual([600, undefined])
  })
})
