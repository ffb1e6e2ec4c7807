import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { canUnpackDebian, freePort, temporaryDirectory, unpackDebian } from '@millrace/local-stack'
import { type EdgeServer, startEdge } from './edge-server.js'

export interface NginxOptions {
  /** Directives of the block `http`, without `server` blocks. */
  readonly http: string
  /** Directives of the only block `server`, without `listen`. */
  readonly server: string
  /** Where a private copy of the program may be unpacked. Default: `.cache` under the working directory. */
  readonly cacheDir?: string | undefined
}

/**
 * Finds nginx: on PATH, where Debian installs it, or unpacked from Debian's package without root. Undefined when none of that works.
 */
export function findNginx(cacheDir = '.cache'): string | undefined {
  const target = resolve(cacheDir, 'nginx')
  const candidates = ['nginx', '/usr/sbin/nginx', join(target, 'usr/sbin/nginx')]
  const find = () => candidates.find((command) => spawnSync(command, ['-v'], { stdio: 'ignore' }).status === 0)
  const found = find()
  if (found !== undefined || !canUnpackDebian()) return found
  unpackDebian(['nginx'], target)
  return find()
}

/** Starts nginx as a child process, with its files in a temporary directory. @throws an error with its last lines when it dies at start. */
export async function startNginx(command: string, options: NginxOptions): Promise<EdgeServer> {
  const dir = temporaryDirectory('millrace-nginx-')
  const port = await freePort()
  const config = join(dir, 'nginx.conf')
  mkdirSync(join(dir, 'cache'))
  writeFileSync(config, configuration(dir, port, options))
  const args = ['-p', dir, '-e', 'stderr', '-c', config]
  return await startEdge({ name: 'nginx', command, args, env: process.env, port, dir })
}

/** A single process without root; every path that it writes to lies in `dir`. */
function configuration(dir: string, port: number, { http, server }: NginxOptions): string {
  const bodies = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log stderr warn;
events { worker_connections 256; }
http {
  access_log off;
  ${bodies.map((name) => `${name}_temp_path ${dir}/${name};`).join('\n  ')}
  ${http}
  server {
    listen 127.0.0.1:${port};
    ${server}
  }
}
`
}
