import { HOUR_MS } from '@millrace/contracts'
import { createMasker } from '@millrace/masking'
import type { RedisConnection } from '@millrace/redis'
import type { Lifecycle } from '@millrace/service'
import type { Config } from '../config.js'
import { RejectionRecorder } from './rejection-recorder.js'
import { RejectionStore } from './rejection-store.js'

const FLUSH_MS = 500
/** Tokens of a full bucket, in seconds of its rate. */
const BURST_S = 50

/** Keeps rejections in the cache Redis. Nothing waits for it, and events are accepted while it is down. */
export async function startRejections(
  config: Config,
  lifecycle: Lifecycle,
  redis: RedisConnection,
): Promise<{ rejections: RejectionStore; recorder: RejectionRecorder }> {
  const store = new RejectionStore(
    { keptMax: config.REJECTIONS_KEPT, keptMs: config.REJECTIONS_KEPT_HOURS * HOUR_MS },
    { redis, now: Date.now },
  )
  const perSecond = config.REJECTIONS_KEPT_PER_SECOND
  const sampler = { perSecond, burst: config.REJECTIONS_KEPT === 0 ? 0 : perSecond * BURST_S }
  const masker = createMasker({ fieldNames: config.LOG_MASK_FIELDS })
  const recorder = new RejectionRecorder(sampler, { store, masker, metrics: lifecycle.metrics, now: Date.now })
  const flush = () => recorder.flush()
  await lifecycle.every('rejections', FLUSH_MS, flush, { runsAtStart: false, runsAtEnd: true })
  return { rejections: store, recorder }
}
