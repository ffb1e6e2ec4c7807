import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { canUnpackDebian, freePort, has, temporaryDirectory, unpackDebian } from '@millrace/local-stack'
import { type EdgeServer, startEdge } from './edge-server.js'

/** Debian's packages that hold the server, the vmod xkey, and the libraries of both. */
const DEBIAN_PACKAGES = ['varnish', 'varnish-modules', 'libvarnishapi3', 'libjemalloc2']

/** A program that runs Varnish with the vmod xkey. */
export interface VarnishBinary {
  readonly command: string
  /** The folder of its vmods. */
  readonly vmods: string
  /** Added to the child's environment. */
  readonly env: Readonly<Record<string, string>>
}

/**
 * Finds Varnish with the vmod xkey: where Debian installs it, or unpacked from Debian's packages without root. Undefined when none of that
 * works, or without a C compiler, with which Varnish compiles its configuration.
 * @param cacheDir where a private copy may be unpacked. Default: `.cache` under the working directory.
 */
export function findVarnish(cacheDir = '.cache'): VarnishBinary | undefined {
  if (!has('gcc')) return undefined
  const target = resolve(cacheDir, 'varnish')
  const found = probe('/') ?? probe(target)
  if (found !== undefined || !canUnpackDebian()) return found
  unpackDebian(DEBIAN_PACKAGES, target)
  return probe(target)
}

function probe(root: string): VarnishBinary | undefined {
  const command = join(root, 'usr/sbin/varnishd')
  const libraries = join(root, 'usr/lib')
  if (!existsSync(command)) return undefined
  const folders = readdirSync(libraries).map((name) => join(libraries, name))
  const folder = folders.find((path) => existsSync(join(path, 'varnish/vmods/libvmod_xkey.so')))
  if (folder === undefined) return undefined
  const env = root === '/' ? undefined : { LD_LIBRARY_PATH: folder }
  const isSound = spawnSync(command, ['-V'], { stdio: 'ignore', env: { ...process.env, ...env } }).status === 0
  return isSound ? { command, vmods: join(folder, 'varnish/vmods'), env: env ?? {} } : undefined
}

/**
 * Starts Varnish as a child process with 32 MB, its files in a temporary directory.
 * @param vcl the whole configuration. @throws an error with its last lines when it dies at start.
 */
export async function startVarnish(binary: VarnishBinary, { vcl }: { readonly vcl: string }): Promise<EdgeServer> {
  const dir = temporaryDirectory('millrace-varnish-')
  const port = await freePort()
  const config = join(dir, 'varnish.vcl')
  writeFileSync(config, vcl)
  const settings = [`vmod_path=${binary.vmods}`, 'thread_pools=1', 'thread_pool_min=10', 'vsl_space=1M']
  return await startEdge({
    name: 'varnish',
    command: binary.command,
    // Under the user that we are, without a port for its command line.
    args: [
      ...['-F', '-j', 'none', '-T', 'none', '-n', join(dir, 'work')],
      ...['-a', `127.0.0.1:${port}`, '-f', config, '-s', 'malloc,32m'],
      ...settings.flatMap((setting) => ['-p', setting]),
    ],
    env: { ...process.env, ...binary.env },
    port,
    dir,
  })
}
