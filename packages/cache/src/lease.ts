import type { NamespaceCore } from './namespace-core.js'
import type { Mark } from './remote-tier.js'

/** The right to load one key, kept as long as this process works on it. */
export interface HeldLease {
  readonly token: string
  /** The order of invalidations when it was granted, so before loading. */
  readonly mark: Mark
  /** No longer renewed; it ends by itself, or with storing. */
  letGo(): void
  /** Gives it back at once; `isOpen` lets those who wait load at the same time, because nothing will be kept. */
  release(isOpen: boolean): void
}

export function holdLease<T>(core: NamespaceCore<T>, key: string, granted: { token: string; mark: Mark }): HeldLease {
  const { clock, leaseMs, shared } = core
  const { token, mark } = granted
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
    token,
    mark,
    letGo,
    release(isOpen) {
      if (!isHeld) return
      letGo()
      const released = shared?.remote.release(key, token, isOpen)
      if (released !== undefined) core.background(released.catch(() => undefined))
    },
  }
}
