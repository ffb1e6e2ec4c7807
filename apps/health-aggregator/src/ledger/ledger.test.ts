import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { balanceTenants } from './balance.js'
import type { Consumed, Gap, LedgerSnapshot, Produced } from './ledger-rows.js'
import { LedgerWatch } from './ledger-watch.js'

const produced = (accepted: number, more: Partial<Produced> = {}): Produced => ({
  producer: 'p',
  tenantId: 1,
  accepted,
  rejected: 0,
  spooled: 0,
  ...more,
})
const consumed = (accepted: number, more: Partial<Consumed> = {}): Consumed => ({
  producer: 'p',
  tenantId: 1,
  accepted,
  rejected: 0,
  stored: accepted,
  duplicate: 0,
  deadLettered: 0,
  ...more,
})

describe('the balance of a tenant', () => {
  it.each<[string, Produced[], Consumed[], object]>([
    [
      'counts records in flight',
      [produced(10)],
      [consumed(7)],
      { accepted: 10, stored: 7, inFlight: 3, isBalanced: true },
    ],
    [
      'uses the consumer’s count when the gateway died before it wrote its own',
      [produced(4)],
      [consumed(7)],
      { accepted: 7, inFlight: 0, isBalanced: true },
    ],
    [
      'uses the consumer’s count when the gateway never wrote its own',
      [],
      [consumed(7)],
      { accepted: 7, inFlight: 0, isBalanced: true },
    ],
    [
      'adds up all producers',
      [produced(4), produced(9, { producer: 'q' })],
      [consumed(7), consumed(2, { producer: 'q' })],
      { accepted: 16, stored: 9, inFlight: 7 },
    ],
    [
      'counts each verdict separately',
      [produced(10, { rejected: 2 })],
      [consumed(10, { rejected: 2, stored: 5, duplicate: 2, deadLettered: 1 })],
      { accepted: 10, rejected: 2, stored: 5, duplicate: 2, deadLettered: 1, inFlight: 0, isBalanced: true },
    ],
    [
      'counts rejected records before the consumer has read them',
      [produced(10, { rejected: 10 })],
      [],
      { rejected: 10, inFlight: 0, isBalanced: true },
    ],
    [
      'is unbalanced when more records are stored than accepted',
      [produced(5)],
      [consumed(5, { stored: 6 })],
      { inFlight: -1, isBalanced: false },
    ],
  ])('%s', (_title, left, right, expected) => {
    const counts = { produced: left, consumed: right, expired: [] }
    expect(balanceTenants(counts, new Map())).toEqual([expect.objectContaining(expected)])
  })

  it('contains expired records in the stored ones, and is unbalanced when more are expired than were stored', () => {
    const of = (records: number) =>
      balanceTenants(
        { produced: [produced(5)], consumed: [consumed(5)], expired: [{ tenantId: 1, records }] },
        new Map(),
      )
    expect(of(4)).toEqual([
      expect.objectContaining({ accepted: 5, stored: 5, expired: 4, inFlight: 0, isBalanced: true }),
    ])
    expect(of(6)).toEqual([expect.objectContaining({ stored: 5, expired: 6, isBalanced: false })])
  })

  it('is unbalanced when records are lost', () => {
    const counts = { produced: [produced(5)], consumed: [consumed(3)], expired: [] }
    expect(balanceTenants(counts, new Map([[1, 2]]))[0]).toMatchObject({
      lost: 2,
      inFlight: 2,
      isBalanced: false,
    })
  })

  it('the ledger of one tenant contains no event of another tenant that the same gateway accepted', () => {
    const both = balanceTenants(
      {
        produced: [produced(5), produced(8, { tenantId: 2 })],
        consumed: [consumed(5), consumed(7, { tenantId: 2 })],
        expired: [],
      },
      new Map([[2, 1]]),
    )
    expect(
      both.map(({ tenantId, accepted, stored, inFlight, isBalanced }) => ({
        tenantId,
        accepted,
        stored,
        inFlight,
        isBalanced,
      })),
    ).toEqual([
      { tenantId: 1, accepted: 5, stored: 5, inFlight: 0, isBalanced: true },
      { tenantId: 2, accepted: 8, stored: 7, inFlight: 1, isBalanced: false },
    ])
  })
})

/** A stream of one partition whose positions are numbers. */
class World {
  nowMs = 0
  end = 0
  position = 0
  produced: Produced[] = []
  consumed: Consumed[] = []
  gaps: Gap[] = []
  isStreamDown = false
  readonly watch = new LedgerWatch(
    { lostAfterMs: 1000, checkpointMaxMs: 60_000 },
    {
      readLedger: async (): Promise<LedgerSnapshot> => ({
        produced: this.produced,
        consumed: this.consumed,
        expired: [],
        gaps: this.gaps,
        positions: [{ partition: 0, position: String(this.position) }],
      }),
      readEnds: async () => {
        if (this.isStreamDown) throw new Error('down')
        return [{ partition: 0, position: String(this.end) }]
      },
      comparePositions: (a, b) => Number(a) - Number(b),
      now: () => this.nowMs,
      logger: silentLogger,
    },
  )

  /** Steps until two checkpoints are passed, unless the consumer is behind. */
  async settle(): Promise<number> {
    for (let i = 0; i < 4; i++) {
      await this.watch.step().catch(() => undefined)
      this.nowMs += 1000
    }
    return this.watch.lost.get(1) ?? 0
  }
}

describe('the ledger watch', () => {
  it('reports no loss while frames are in flight, however long that takes', async () => {
    const world = new World()
    Object.assign(world, { end: 10, position: 4, produced: [produced(100)], consumed: [consumed(40)] })
    for (let i = 0; i < 40; i++) expect(await world.settle()).toBe(0)
  })

  it('reports no loss under load, when producers and stream are always ahead of the consumer', async () => {
    const world = new World()
    for (let i = 1; i < 50; i++) {
      Object.assign(world, {
        end: i * 10,
        position: i * 10 - 7,
        produced: [produced(i * 100)],
        consumed: [consumed(i * 100 - 70)],
      })
      await world.watch.step()
      world.nowMs += 500
    }
    expect(world.watch.lost.size).toBe(0)
    expect(world.watch.state).toMatchObject({ inFlight: 70, unbalancedTenants: 0 })
    expect(world.watch.state.verifiedAtMs).not.toBeNull()
  })

  it('reports a loss when the consumer has read everything and an acknowledged record is missing', async () => {
    const world = new World()
    Object.assign(world, { end: 10, position: 10, produced: [produced(100)], consumed: [consumed(97)] })
    expect(await world.settle()).toBe(3)
    expect(world.watch.state).toMatchObject({ lost: 3, unbalancedTenants: 1 })
  })

  it('reports a loss under load too', async () => {
    const world = new World()
    for (let i = 1; i < 50; i++) {
      Object.assign(world, {
        end: i * 10,
        position: i * 10 - 7,
        produced: [produced(i * 100)],
        consumed: [consumed(i * 100 - 90)],
      })
      await world.watch.step()
      world.nowMs += 500
    }
    // Consumption lags by 70 records, 20 more are gone: as soon as all 70 have been read, that is what a checkpoint shows.
    Object.assign(world, { position: 490, consumed: [consumed(4880)] })
    expect(await world.settle()).toBe(20)
  })

  it('does not count records in a spool as lost', async () => {
    const world = new World()
    Object.assign(world, {
      end: 10,
      position: 10,
      produced: [produced(100, { spooled: 40 })],
      consumed: [consumed(60)],
    })
    expect(await world.settle()).toBe(0)
  })

  it('keeps its findings while the stream cannot be reached', async () => {
    const world = new World()
    Object.assign(world, { end: 10, position: 10, produced: [produced(100)], consumed: [consumed(97)] })
    expect(await world.settle()).toBe(3)
    world.isStreamDown = true
    expect(await world.settle()).toBe(3)
  })

  it('withdraws a loss when the records turn up', async () => {
    const world = new World()
    Object.assign(world, { end: 10, position: 10, produced: [produced(100)], consumed: [consumed(97)] })
    await world.settle()
    Object.assign(world, { end: 11, position: 11, consumed: [consumed(100)] })
    expect(await world.settle()).toBe(0)
  })

  it('takes a new checkpoint when the stream no longer reaches the ends of the old one', async () => {
    const world = new World()
    Object.assign(world, { end: 20, position: 12, produced: [produced(100)], consumed: [consumed(60)] })
    expect(await world.settle()).toBe(0)
    world.end = 12
    world.nowMs += 61_000
    expect(await world.settle()).toBe(40)
  })

  it('keeps a checkpoint that a slow consumer needs a long time to pass', async () => {
    const world = new World()
    Object.assign(world, { end: 10, position: 4, produced: [produced(100)], consumed: [consumed(40)] })
    await world.settle()
    for (let i = 1; i < 5; i++) {
      Object.assign(world, { end: 10 + i * 100, produced: [produced(100 + i * 1000)] })
      world.nowMs += 61_000
      await world.settle()
    }
    // Only now is the first checkpoint passed, and 7 of its records are gone; the consumer is far behind the stream as ever.
    Object.assign(world, { position: 10, consumed: [consumed(93)] })
    await world.watch.step()
    expect(world.watch.state.verifiedAtMs).toBe(world.nowMs)
  })

  it('counts the gap of a gateway that died before it wrote its count, and counts it once', async () => {
    const world = new World()
    const gaps = [{ producer: 'p', lostRecords: 10 }]
    Object.assign(world, { end: 10, position: 10, produced: [produced(80)], consumed: [consumed(90)], gaps })
    expect(await world.settle()).toBe(10)
    Object.assign(world, { produced: [produced(100)] })
    expect(await world.settle()).toBe(10)
  })

  it('does not count a gap of records that the gateway never acknowledged', async () => {
    const world = new World()
    Object.assign(world, {
      end: 10,
      position: 10,
      produced: [produced(90)],
      consumed: [consumed(90)],
      gaps: [{ producer: 'p', lostRecords: 10 }],
    })
    expect(await world.settle()).toBe(0)
  })
})
