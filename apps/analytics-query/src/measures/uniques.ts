import { HyperLogLog } from '@millrace/sketches'
import type { Measure } from './measure.js'

const HASH_BYTES = 8
/** Bits of a user's hash that choose the register, as in HyperLogLog of @millrace/sketches. */
const REGISTER_MASK = 16_383

/**
 * Distinct users, by the hash of the user id or else the anonymous id. A raw cell is cut down in SQL to the one hash a register that
 * ranks highest, the one with the most leading zeros, so that at most 16,384 hashes a cell leave the database.
 */
export const uniques: Measure = {
  name: 'uniques',
  usesSketches: true,
  rollupSelect: 'r.uniques as sketch',
  isRollupGrouped: false,
  rawInput: () => 'e.user_hash as h',
  rawOutput: (keys) => `select ${keys}, string_agg(int8send(h), ''::bytea) as hashes from (
      select ${keys}, coalesce(min(h) filter (where h >= 0), min(h)) as h from cell group by ${keys}, h & ${REGISTER_MASK}
    ) register group by ${keys}`,
  createAccumulator() {
    const users = new HyperLogLog()
    return {
      addRollup(row) {
        if (row.sketch !== null) users.merge(HyperLogLog.deserialise(row.sketch as Buffer))
      },
      addMinute({ sketch }) {
        if (sketch !== null) users.merge(HyperLogLog.deserialise(sketch))
      },
      addRaw(row) {
        const hashes = row.hashes as Buffer
        for (let at = 0; at < hashes.length; at += HASH_BYTES)
          users.add(hashes.readUInt32BE(at + 4), hashes.readUInt32BE(at))
      },
      result: () => ({ value: Math.round(users.estimate()), values: {} }),
    }
  },
}
