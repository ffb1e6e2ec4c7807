import type { IntakeRoute } from '@millrace/http-intake'
import type { Wire } from '../wires/wire.js'
import { type AcceptEventsDeps, createAcceptEvents } from './accept-events.js'

/** The paths of all wires, for createIntake. */
export function createEventRoutes(wires: readonly Wire[], deps: AcceptEventsDeps): IntakeRoute[] {
  return wires.flatMap((wire) =>
    wire.routes.map((route) => ({
      path: route.path,
      method: route.method,
      scope: 'write' as const,
      keyIn: wire.format.keyField < 0 ? ('header' as const) : ('header-or-body' as const),
      keyParameter: route.keyParameter,
      fixedBody: wire.fixedBody,
      bodyBytesMax: wire.bodyBytesMax,
      bodyBytesSetting: wire.bodyBytesSetting,
      encodings: wire.encodings,
      handle: createAcceptEvents({ wire, route }, deps),
    })),
  )
}
