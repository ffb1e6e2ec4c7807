import { describe, expect, it } from '@jest/globals'
import { RejectionSampler } from './rejection-sampler.js'

describe('the sampler of rejections', () => {
  it('keeps no more rejections with one code than the burst and the rate allow, and counts the others', () => {
    const sampler = new RejectionSampler({ perSecond: 2, burst: 10 })
    let kept = 0
    let omitted = 0
    // 50,000 rejections a second, for ten seconds.
    for (let i = 0; i < 500_000; i++) {
      const before = sampler.take(1, 'missing_user', i / 50)
      if (before === undefined) continue
      kept++
      omitted += before
    }
    expect(kept).toBeGreaterThanOrEqual(28)
    expect(kept).toBeLessThanOrEqual(30)
    expect(kept + omitted).toBeGreaterThan(470_000)
  })

  it('gives each code of each tenant a share of its own, so that a flood hides nothing else', () => {
    const sampler = new RejectionSampler({ perSecond: 1, burst: 1 })
    for (let i = 0; i < 1000; i++) sampler.take(1, 'missing_user', 0)
    expect(sampler.take(1, 'invalid_timestamp', 0)).toBe(0)
    expect(sampler.take(2, 'missing_user', 0)).toBe(0)
    expect(sampler.take(1, 'missing_user', 1000)).toBe(999)
  })

  it('keeps nothing with a burst of 0', () => {
    expect(new RejectionSampler({ perSecond: 1, burst: 0 }).take(1, 'missing_user', 5000)).toBeUndefined()
  })
})
