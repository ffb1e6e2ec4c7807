import type { NamespaceCore } from './namespace-core.js'
import type { StoreClaim } from './remote-tier.js'

/** The right to load one key; it is renewed while this process works on the key. */
export interface HeldLease extends StoreClaim {
  /** Stops the renewal; the lease then expires or ends when the value is stored. */
  stopRenewing(): void
  /** Ends the lease at once. `isOpen`: waiting processes may load at the same time, because the value is not kept. */
  release(isOpen: boolean): void
}

/** Holds the lease of a key while its value is loaded, and extends it until it is released. */
export function holdLease<T>(core: NamespaceCore<T>, key: string, granted: StoreClaim): HeldLease {
  const { clock, leaseMs, shared } = core
  const { token } = granted
  let isHeld = true
  let cancel: () => void = () => undefined
  const renewLater = () => {
    if (!isHeld) return
    cancel = clock.schedule(leaseMs / 3, renew, 'background')
  }
  const renew = () => {
    shared?.remote.extend(key, token, leaseMs).then((isMine) => {
      if (isMine) renewLater()
    }, renewLater)
  }
  const stopRenewing = () => {
    isHeld = false
    cancel()
  }
  renewLater()
  return {
    ...granted,
    stopRenewing,
    release(isOpen) {
      if (!isHeld) return
      stopRenewing()
      const released = shared?.remote.release(key, token, isOpen)
      if (released !== undefined) core.background(released.catch(() => undefined))
    },
  }
}
