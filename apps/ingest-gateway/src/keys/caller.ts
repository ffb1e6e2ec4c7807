/** Who is asking, as the keys say. */
export interface Caller {
  readonly tenantId: number
  readonly tenantName: string
  readonly keyId: string
  readonly scopes: ReadonlySet<Scope>
}

export type Scope = 'write' | 'read' | 'admin'

/**
 * Finds the caller of a key: at once when the key is known here, else from the database. `undefined`: there is no such key.
 * The promise rejects when the database cannot be asked.
 */
export type CheckKey = (key: string) => Caller | undefined | Promise<Caller | undefined>

/** Takes tokens for so many events from the tenant's bucket: 0 when they were there, else the seconds after which to try again. */
export type TakeTokens = (tenantId: number, events: number) => number
