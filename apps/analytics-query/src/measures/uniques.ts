import { HyperLogLog } from '@millrace/sketches'
import type { Measure } from './measure.js'

const HASH_BYTES = 8
/** Bits of the hash that select the register, as in HyperLogLog of @millrace/sketches. */
const REGISTER_MASK = 16_383

/**
 * Distinct users, by the hash of the user id, or else of the anonymous id. For raw rows, SQL returns only one hash per
 * register of the HyperLogLog, the one with the most leading zeros, so at most 16,384 hashes per cell leave the
 * database.
 */
export const uniques: Measure = {
  usesSketches: true,
  rollupSelect: 'r.uniques as sketch',
  isRollupGrouped: false,
  rawInput: () => 'e.user_hash as h',
  rawOutput: (keys) => `select ${keys}, string_agg(int8send(h), ''::bytea) as hashes from (
      select ${keys}, coalesce(min(h) filter (where h >= 0), min(h)) as h from cell group by ${keys}, h & ${REGISTER_MASK}
    ) register group by ${keys}`,
  rawMerge: `string_agg(hashes, ''::bytea) as hashes`,
  rawValue: () => null,
  createAccumulator() {
    let users: HyperLogLog | undefined
    /** Most cells have only one sketch. Merging it into an empty one would take longer than everything else. */
    let only: Uint8Array | undefined
    const merged = (): HyperLogLog => {
      users ??= only === undefined ? new HyperLogLog() : HyperLogLog.deserialise(only)
      return users
    }
    const add = (sketch: Uint8Array | null): void => {
      if (sketch === null) return
      if (users === undefined && only === undefined) only = sketch
      else merged().mergeSerialised(sketch)
    }
    return {
      addRollup: (row) => add(row.sketch as Buffer | null),
      addMinute: (_, sketch) => add(sketch),
      addRaw(row) {
        const hashes = row.hashes as Buffer
        const all = merged()
        for (let at = 0; at < hashes.length; at += HASH_BYTES)
          all.add(hashes.readUInt32BE(at + 4), hashes.readUInt32BE(at))
      },
      result() {
        const isOnly = users === undefined && only !== undefined
        const estimate = isOnly ? HyperLogLog.estimateSerialised(only as Uint8Array) : merged().estimate()
        return { value: Math.round(estimate), values: {} }
      },
    }
  },
}
