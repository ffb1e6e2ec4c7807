import { type Hash64, hashText, hashToBigint } from '@millrace/contracts'

const hash: Hash64 = { lo: 0, hi: 0 }

/** The value of the column user_hash in the rows of a user. */
export function userHash(userId: string, tenantId: number): bigint {
  return hashToBigint(hashText(userId, tenantId, hash))
}
