import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import {
  canConnect,
  extendServer,
  freePort,
  removeTemporary,
  type Server,
  startChild,
  startServer,
  temporaryDirectory,
} from '@millrace/local-stack'

const VERSION = 'v1.8.0'
const MODULE = 'github.com/versity/versitygw/cmd/versitygw'
const BUILD_MS = 600_000
const BUCKET = 'archive'
/** Fixed in s3rver. */
const S3RVER_KEY = 'S3RVER'

/** A real S3 server on 127.0.0.1 that keeps its objects in a temporary directory. */
export interface TestS3 extends Server {
  /** For example http://127.0.0.1:20000. */
  readonly endpoint: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Address of a bucket that exists, for `parseObjectStoreUrl`. */
  readonly url: string
}

/** Versity's S3 gateway, or s3rver, which is smaller and lacks some of S3. */
export interface S3Program {
  readonly name: 'versitygw' | 's3rver'
  readonly command: string
}

/**
 * The program of Versity's S3 gateway, built with Go into `cacheDir` the first time, which takes a minute or two.
 * Returns the reason as a text when there is none.
 */
export function findTestS3(cacheDir = '.cache'): S3Program | string {
  const directory = resolve(cacheDir, `versitygw-${VERSION}`)
  const command = join(directory, 'versitygw')
  if (existsSync(command)) return { name: 'versitygw', command }
  if (spawnSync('go', ['version']).status !== 0) return 'Go is not installed, which builds the S3 server'
  mkdirSync(directory, { recursive: true })
  const built = spawnSync('go', ['install', `${MODULE}@${VERSION}`], {
    env: { ...process.env, GOBIN: directory, GOFLAGS: '-mod=mod' },
    encoding: 'utf8',
    timeout: BUILD_MS,
  })
  if (built.status === 0 && existsSync(command)) return { name: 'versitygw', command }
  return `go install ${MODULE}@${VERSION} failed: ${built.stderr.trim().split('\n').at(-1) ?? ''}`
}

/** The S3 server of the npm registry, which is there on every machine. */
export function fallbackTestS3(): S3Program {
  return { name: 's3rver', command: createRequire(import.meta.url).resolve('s3rver/bin/s3rver.js') }
}

/**
 * Starts the server with an empty bucket. `kill` and `restart` keep port and objects; `stop` removes them. `directory`
 * is where the objects are; default: a temporary directory.
 */
export async function startTestS3(
  program: S3Program,
  { directory }: { readonly directory?: string } = {},
): Promise<TestS3> {
  const dir = temporaryDirectory('millrace-s3-')
  const data = join(directory ?? dir, 'data')
  // Both servers take each folder for a bucket.
  mkdirSync(join(data, BUCKET), { recursive: true })
  const port = await freePort()
  const secretAccessKey = program.name === 's3rver' ? S3RVER_KEY : randomBytes(16).toString('hex')
  const credentials = { accessKeyId: program.name === 's3rver' ? S3RVER_KEY : 'test', secretAccessKey }
  const logFile = join(dir, 's3.log')
  const server = await startServer({
    name: 'S3 server',
    logFile,
    spawn: () =>
      startChild({ name: 'S3 server', ...commandOf(program, { port, data, secretAccessKey }), logFile, cwd: dir }),
    isReady: () => canConnect(port),
    readyDeadlineMs: 60_000,
    stopSignal: 'SIGTERM',
    stopGraceMs: 5000,
    cleanUp: () => removeTemporary(dir),
  })
  const endpoint = `http://127.0.0.1:${port}`
  const url = `s3://${BUCKET}?endpoint=${encodeURIComponent(endpoint)}`
  return extendServer(server, { endpoint, credentials, url })
}

interface Placement {
  readonly port: number
  readonly data: string
  readonly secretAccessKey: string
}

function commandOf({ name, command }: S3Program, { port, data, secretAccessKey }: Placement) {
  if (name === 's3rver') {
    const args = [command, '--directory', data, '--address', '127.0.0.1', '--port', String(port), '--silent']
    return { command: process.execPath, args: [...args, '--configure-bucket', BUCKET], env: process.env }
  }
  return {
    command,
    // Requests to archive.s3.test go to the bucket archive; all others have the bucket in their path.
    args: ['--port', `127.0.0.1:${port}`, '--virtual-domain', 's3.test', 'posix', data],
    env: { ...process.env, ROOT_ACCESS_KEY: 'test', ROOT_SECRET_KEY: secretAccessKey },
  }
}
