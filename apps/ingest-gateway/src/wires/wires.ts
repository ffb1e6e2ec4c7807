import { createCloudEventsWire } from './cloudevents/cloudevents-wire.js'
import { createNativeWire } from './native/native-wire.js'
import { createPixelWire } from './pixel/pixel-wire.js'
import { createSegmentWire } from './segment/segment-wire.js'
import type { Wire, WireLimits } from './wire.js'

/** Every wire of the gateway. */
export function createWires(limits: WireLimits): readonly Wire[] {
  return [createSegmentWire(limits), createPixelWire(limits), createNativeWire(limits), createCloudEventsWire(limits)]
}
