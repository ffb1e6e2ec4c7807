import { join } from 'node:path'

/** Name of Redis' socket in its directory. */
export const REDIS_SOCKET = 'redis.sock'

/** Systems give the path of a Unix socket 104 to 108 bytes, and PostgreSQL's name is the longest. */
const PATH_BYTES_MAX = 103

/** Whether a server may put its Unix socket into `dir`. */
export function isSocketDirectory(dir: string): boolean {
  return process.platform !== 'win32' && Buffer.byteLength(join(dir, '.s.PGSQL.65535.lock')) <= PATH_BYTES_MAX
}
