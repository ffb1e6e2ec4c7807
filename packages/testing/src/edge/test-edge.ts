import { readFileSync } from 'node:fs'
import { hold } from '../leaks.js'
import { withStop } from '../test-redis.js'
import type { EdgeServer } from './edge-server.js'
import { findNginx, startNginx } from './nginx.js'
import { findVarnish, startVarnish, type VarnishBinary } from './varnish.js'

/** The nginx program for a test. Undefined, with a warning, when it is not installed and cannot be unpacked. */
export function findTestEdge(): string | undefined {
  const command = findNginx()
  if (command === undefined)
    console.warn(
      'SKIPPED: nginx is not installed and cannot be unpacked here, so no test runs behind a real caching edge',
    )
  return command
}

/**
 * nginx as a shared cache in front of `origin`: it caches what `Cache-Control` and `Vary` allow, and reports in the header `x-cache` what it did
 * (HIT, MISS, EXPIRED, STALE). `stop` gives it back.
 */
export async function startTestEdge(command: string, origin: string): Promise<EdgeServer> {
  const server = await startNginx(command, {
    http: 'proxy_cache_path cache levels=1 keys_zone=answers:1m inactive=1h max_size=16m;',
    server: `location / {
      proxy_pass ${origin};
      proxy_cache answers;
      proxy_cache_lock on;
      add_header x-cache $upstream_cache_status always;
    }`,
  })
  return withStop(server, hold('nginx', server.stop))
}

/** The configuration of docs/operations, so that the tests show that it works. */
const VCL = new URL('../../../../docs/operations/varnish.vcl', import.meta.url)

/** A Varnish that can be purged by surrogate key. Undefined, with a warning, when it is not installed and cannot be unpacked. */
export function findPurgeableEdge(): VarnishBinary | undefined {
  const binary = findVarnish()
  if (binary === undefined)
    console.warn('SKIPPED: Varnish is not installed and cannot be unpacked here, so no test purges a real edge')
  return binary
}

/**
 * Varnish in front of `origin`, with docs/operations/varnish.vcl. It accepts PURGE with `Purge-Token: change-me`, and reports in the header `x-cache` what
 * it did (HIT, MISS, STALE). `stop` gives it back.
 */
export async function startPurgeableEdge(binary: VarnishBinary, origin: string): Promise<EdgeServer> {
  const { port } = new URL(origin)
  const server = await startVarnish(binary, { vcl: readFileSync(VCL, 'utf8').replace('"8080"', `"${port}"`) })
  return withStop(server, hold('varnish', server.stop))
}
