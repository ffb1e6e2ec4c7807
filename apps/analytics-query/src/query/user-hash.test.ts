import { describe, expect, it } from '@jest/globals'
import { type Hash64, hashBytes, hashToBigint } from '@millrace/contracts'
import { userHash } from './user-hash.js'

/** The hash that the gateway stores for a user: over the bytes of the id, seeded with the tenant. */
function storedHash(userId: string, tenantId: number): bigint {
  const bytes = Buffer.from(userId)
  const hash: Hash64 = { lo: 0, hi: 0 }
  return hashToBigint(hashBytes(bytes, 0, bytes.length, tenantId, hash))
}

describe('the hash of a user', () => {
  it.each(['u1', 'user@example.com', 'Zoë', '用户'])(
    'a query looks for %s by the hash that is stored for each tenant',
    (id) => {
      for (const tenantId of [1, 2, 77]) expect(userHash(id, tenantId)).toBe(storedHash(id, tenantId))
    },
  )

  it('users of two tenants with the same id have different hashes', () => {
    expect(userHash('u1', 1)).not.toBe(userHash('u1', 2))
  })
})
