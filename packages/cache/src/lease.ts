import type { NamespaceCore } from './namespace-core.js'
import type { StoreClaim } from './remote-tier.js'

/** The right to load one key, kept as long as this process works on it. */
export interface HeldLease extends StoreClaim {
  /** No longer renewed; it ends by itself, or with storing. */
  letGo(): void
  /** Gives it back at once; `isOpen` lets those who wait load at the same time, because nothing will be kept. */
  release(isOpen: boolean): void
}

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
  const letGo = () => {
    isHeld = false
    cancel()
  }
  renewLater()
  return {
    ...granted,
    letGo,
    release(isOpen) {
      if (!isHeld) return
      letGo()
      const released = shared?.remote.release(key, token, isOpen)
      if (released !== undefined) core.background(released.catch(() => undefined))
    },
  }
}
