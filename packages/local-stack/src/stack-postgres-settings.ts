import { totalmem } from 'node:os'

/** Of 16 MB, made with the cluster and kept: two million events beyond the last checkpoint, until a new one has to be made while all commits wait. */
export const WAL_SEGMENTS = 64

/**
 * Settings of the stack's PostgreSQL beyond its own defaults. The user index grows by about 40 MB a million events and wants to stay in memory,
 * so an eighth of the machine's, at most 1 GB, is shared; an event writes about 470 bytes of WAL, and checkpoints by size every few seconds
 * would write every page of that index again and again (docs/decisions/0002).
 */
export function stackPostgresSettings(): Record<string, string> {
  return {
    shared_buffers: `${Math.min(1024, Math.floor(totalmem() / 2 ** 20 / 8))}MB`,
    min_wal_size: `${WAL_SEGMENTS * 16}MB`,
    max_wal_size: '4GB',
    checkpoint_timeout: '15min',
  }
}
