import { describe, expect, it } from '@jest/globals'
import { CommitWatch } from './commit-watch.js'
import { LiveCounts } from './live-counts.js'
import { LiveHub } from './live-hub.js'

describe('live counts', () => {
  it('LiveCounts gives the sums since the last call by tenant, with a limited number of event names', () => {
    const counts = new LiveCounts()
    for (let i = 0; i < 300; i++) counts.add(1, `e${i}`, 2)
    counts.add(2, 'x', 1)
    const [first, second] = counts.take(5999)
    expect(first).toMatchObject({ time: 5000, tenant: 1, events: 600 })
    expect(Object.keys(first?.byEvent ?? {})).toHaveLength(201)
    expect(first?.byEvent.$other).toBe(200)
    expect(second).toEqual({ time: 5000, tenant: 2, events: 1, byEvent: { x: 1 } })
    expect(counts.take(6000)).toEqual([])
  })
})

describe('the live hub', () => {
  it('LiveHub gives a watcher the counts of its tenant from all consumers every second, and zeros when there are none', async () => {
    const hub = new LiveHub()
    const abort = new AbortController()
    const seconds = hub.watch(1, { signal: abort.signal, now: () => 7500 })
    const next = seconds.next()
    hub.receive(JSON.stringify({ time: 7000, tenant: 1, events: 3, byEvent: { a: 3 } }))
    hub.receive(JSON.stringify({ time: 7000, tenant: 1, events: 2, byEvent: { a: 1, b: 1 } }))
    hub.receive(JSON.stringify({ time: 7000, tenant: 2, events: 9, byEvent: { a: 9 } }))
    hub.receive('not json')
    const watermark = new Date(6000)
    hub.tick(watermark)
    expect((await next).value).toEqual({ timeMs: 7000, events: 5, byEvent: { a: 4, b: 1 }, watermark })
    const empty = seconds.next()
    await Promise.resolve()
    hub.tick(watermark)
    expect((await empty).value).toMatchObject({ events: 0, byEvent: {} })
    const last = seconds.next()
    abort.abort()
    expect((await last).done).toBe(true)
    expect(hub.size).toBe(0)
  })
})

describe('the commit watch', () => {
  it('CommitWatch resolves when every partition has committed the awaited sequence number or a later one', async () => {
    const watch = new CommitWatch()
    const { committed, end } = watch.watch('p', [
      { partition: 0, sequence: 5 },
      { partition: 1, sequence: 2 },
      { partition: 0, sequence: 4 },
    ])
    let isDone = false
    void committed.then(() => {
      isDone = true
    })
    const notice = (partition: number, sequence: number, producer = 'p') =>
      watch.receive(JSON.stringify([{ stream: 'events', partition, producers: { [producer]: sequence } }]))
    notice(0, 4)
    notice(1, 9)
    notice(0, 9, 'q')
    await Promise.resolve()
    expect(isDone).toBe(false)
    notice(0, 5)
    await committed
    expect(isDone).toBe(true)
    end()
  })
})
