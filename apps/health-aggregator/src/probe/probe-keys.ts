import { authErrors, type KeyManager } from '@millrace/auth'
import { HOUR_MS } from '@millrace/contracts'

/** The tenant of synthetic events. It is an ordinary tenant, so its events do not appear in other tenants' figures. */
export const PROBE_TENANT = 'millrace-synthetic'

export interface ProbeKey {
  readonly tenantId: number
  readonly key: string
}

export interface ProbeKeys {
  /** A valid key, created on first use and replaced before it expires. @throws databaseErrors */
  current(): Promise<ProbeKey>
  /** Makes the next `current` create a new key; call it when the gateway refused this one. */
  forget(): void
}

const LIFE_MS = 24 * HOUR_MS

/**
 * API keys of the tenant of synthetic events. They exist only in this process's memory and expire after a day, so keys of earlier processes need no
 * cleanup.
 */
export function createProbeKeys({ keys, now }: { readonly keys: KeyManager; readonly now: () => number }): ProbeKeys {
  let made: { key: Promise<ProbeKey>; renewAtMs: number } | undefined
  return {
    current() {
      if (made === undefined || now() >= made.renewAtMs) {
        const key = makeKey(keys, now() + LIFE_MS)
        made = { key, renewAtMs: now() + LIFE_MS / 2 }
        key.catch(() => {
          made = undefined
        })
      }
      return made.key
    },
    forget() {
      made = undefined
    },
  }
}

async function makeKey(keys: KeyManager, expiresAtMs: number): Promise<ProbeKey> {
  const tenantId = (await keys.findTenant(PROBE_TENANT)) ?? (await createTenant(keys))
  const created = await keys.create({
    tenantId,
    name: 'synthetic event',
    scopes: ['write', 'read'],
    expiresAt: new Date(expiresAtMs),
  })
  return { tenantId, key: created.key }
}

/** Another instance may create the tenant at the same time. */
async function createTenant(keys: KeyManager): Promise<number> {
  try {
    return await keys.createTenant(PROBE_TENANT)
  } catch (error) {
    const there = authErrors.TENANT_EXISTS.matches(error) ? await keys.findTenant(PROBE_TENANT) : undefined
    if (there === undefined) throw error
    return there
  }
}
