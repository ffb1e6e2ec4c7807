import type { WatchLiveRequest, WatchLiveResponse } from '@millrace/contracts'
import { type CallContext, tenantOf } from '@millrace/service'
import type { LiveHub } from '../live/live-hub.js'

/** Streams the counts of the caller's tenant, one message a second, also for a second without events. */
export function createWatchLive({ hub, now }: { hub: LiveHub; now: () => number }) {
  return async function* watchLive(_request: WatchLiveRequest, call: CallContext): AsyncGenerator<WatchLiveResponse> {
    for await (const second of hub.watch(tenantOf(call), { signal: call.signal, now })) {
      yield {
        time: new Date(second.timeMs),
        events: BigInt(second.events),
        byEvent: Object.fromEntries(Object.entries(second.byEvent).map(([event, count]) => [event, BigInt(count)])),
        watermark: second.watermark ?? undefined,
      }
    }
  }
}
