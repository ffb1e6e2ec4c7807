import { beforeEach, describe, expect, it } from '@jest/globals'
import { MemoryDriver } from '../drivers/memory/driver.js'
import type { TakenPartition } from './group-table.js'
import { PartitionState } from './partition-state.js'
import { StallDetector } from './stall-detector.js'

const STALL_AFTER_MS = 30_000
const PARTITIONS = 4
const TAKEN: TakenPartition = {
  partition: 0,
  epoch: 1,
  position: '',
  nextOrdinal: 0,
  frames: 0,
  flushedPosition: '',
  flushedOrdinal: 0,
  watermarkMs: undefined,
}

describe('the detector of stalls', () => {
  let nowMs: number
  let detector: StallDetector
  let state: PartitionState
  let reads: { started: number; ended: number; totalMs: number }
  /** Frames in the stream; positions are numbers from 1. */
  let frames: number

  beforeEach(() => {
    nowMs = 1_000_000
    detector = new StallDetector(
      { stallAfterMs: STALL_AFTER_MS, readMsMax: 1000 },
      { driver: new MemoryDriver(), now: () => nowMs },
    )
    state = new PartitionState(TAKEN, [], true)
    reads = { started: 0, ended: 0, totalMs: 0 }
    frames = 3
  })

  const observe = () => {
    const states = new Map(
      Array.from({ length: PARTITIONS }, (_, partition) => [
        partition,
        partition === 0 ? state : new PartitionState({ ...TAKEN, partition }, [], true),
      ]),
    )
    const first = frames > 0 ? '1' : ''
    const description = { partition: 0, first, last: frames > 0 ? String(frames) : '', frames, framesEver: frames }
    const { partitions, isReadHung } = detector.observe({ states, reads, abort: () => undefined }, [description])
    return { stalled: [...partitions], isReadHung }
  }
  /** Observes every 3 s for `ms`, after `act` each time, and returns the time after which anything was found. */
  const watch = (ms: number, act: () => void) => {
    observe()
    for (let afterMs = 3000; afterMs <= ms; afterMs += 3000) {
      nowMs += 3000
      act()
      const found = observe()
      if (found.stalled.length > 0 || found.isReadHung) return { afterMs, ...found }
    }
    return 'nothing'
  }
  /** Three reads that wait in vain for a second each. */
  const readNothing = () => {
    reads.started += 3
    reads.ended += 3
    reads.totalMs += 3000
  }
  const readOn = () => {
    reads.totalMs += 3000
  }

  it('finds a partition whose unread frames are not returned by reads for the whole time', () => {
    expect(watch(60_000, readNothing)).toEqual({ afterMs: STALL_AFTER_MS, stalled: [[0, '']], isReadHung: false })
  })

  it('finds a partition that many quick reads leave out while they return frames of others', () => {
    const readOthers = () => {
      reads.started += 30
      reads.ended += 30
      reads.totalMs += 100
    }
    expect(watch(60_000, readOthers)).toMatchObject({ afterMs: STALL_AFTER_MS, stalled: [[0, '']] })
  })

  it('finds a partition with unread frames while a read does not end', () => {
    reads.started = 1
    expect(watch(60_000, readOn)).toMatchObject({ afterMs: STALL_AFTER_MS, stalled: [[0, '']] })
  })

  it('finds a read that does not end although no frame is unread', () => {
    frames = 0
    reads.started = 1
    expect(watch(60_000, readOn)).toMatchObject({ stalled: [], isReadHung: true })
  })

  it.each<[string, () => void, (step: number) => void]>([
    ['a stream without unread frames', () => (frames = 0), readNothing],
    ['a session that does not read, because its handler is at work', () => undefined, () => undefined],
    [
      'a partition whose turn has not come in a few quick reads between long calls of the handler',
      () => undefined,
      (step) => {
        if (step % 3 > 0) return
        reads.started++
        reads.ended++
        reads.totalMs += 5
        if (step % 36 === 0) frames = 0
        else frames = 3
      },
    ],
    [
      'a position that moves every 27 s',
      () => (frames = 1000),
      (step) => {
        readNothing()
        if (step % 9 === 0) state.advance(String(step), nowMs)
      },
    ],
    [
      'a stream whose unread frames disappear and come back',
      () => undefined,
      (step) => {
        readNothing()
        frames = step % 5 === 0 ? 0 : 3
      },
    ],
  ])('finds no stall in %s', (_, prepare, act) => {
    prepare()
    let step = 0
    expect(watch(300_000, () => act(++step))).toBe('nothing')
  })

  it('does not count the time for which the process was suspended', () => {
    reads.started = 1
    observe()
    nowMs += 600_000
    reads.totalMs += 600_000
    expect(observe()).toEqual({ stalled: [], isReadHung: false })
    // It reads the frames as soon as it runs again.
    reads.ended = 1
    state.advance('3', nowMs)
    expect(watch(60_000, readNothing)).toBe('nothing')
  })

  it('begins again after a reset', () => {
    expect(watch(27_000, readNothing)).toBe('nothing')
    detector.reset()
    expect(watch(27_000, readNothing)).toBe('nothing')
  })
})
