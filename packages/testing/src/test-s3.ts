import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
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

/** A real S3 server on 127.0.0.1 that keeps its objects in a temporary directory. */
export interface TestS3 extends Server {
  /** For example http://127.0.0.1:20000. */
  readonly endpoint: string
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Address of a bucket that exists, for `parseObjectStoreUrl`. */
  readonly url: string
}

/**
 * The program of Versity's S3 gateway, built with Go into `cacheDir` the first time, which takes a minute or two.
 * Returns the reason as a text when there is none.
 */
export function findTestS3(cacheDir = '.cache'): { readonly command: string } | string {
  const directory = resolve(cacheDir, `versitygw-${VERSION}`)
  const command = join(directory, 'versitygw')
  if (existsSync(command)) return { command }
  if (spawnSync('go', ['version']).status !== 0) return 'Go is not installed, which builds the S3 server'
  mkdirSync(directory, { recursive: true })
  const built = spawnSync('go', ['install', `${MODULE}@${VERSION}`], {
    env: { ...process.env, GOBIN: directory, GOFLAGS: '-mod=mod' },
    encoding: 'utf8',
    timeout: BUILD_MS,
  })
  if (built.status === 0 && existsSync(command)) return { command }
  return `go install ${MODULE}@${VERSION} failed: ${built.stderr.trim().split('\n').at(-1) ?? ''}`
}

/** Starts the server with an empty bucket. `kill` and `restart` keep port and objects; `stop` removes them. */
export async function startTestS3(command: string): Promise<TestS3> {
  const dir = temporaryDirectory('millrace-s3-')
  const data = join(dir, 'data')
  // The server takes each folder for a bucket.
  mkdirSync(join(data, 'archive'), { recursive: true })
  const port = await freePort()
  const credentials = { accessKeyId: 'test', secretAccessKey: randomBytes(16).toString('hex') }
  const logFile = join(dir, 's3.log')
  const env = { ...process.env, ROOT_ACCESS_KEY: credentials.accessKeyId, ROOT_SECRET_KEY: credentials.secretAccessKey }
  const args = ['--port', `127.0.0.1:${port}`, 'posix', data]
  const server = await startServer({
    name: 'S3 server',
    logFile,
    spawn: () => startChild({ name: 'S3 server', command, args, env, logFile, cwd: dir }),
    isReady: () => canConnect(port),
    readyDeadlineMs: 60_000,
    stopSignal: 'SIGTERM',
    stopGraceMs: 5000,
    cleanUp: () => removeTemporary(dir),
  })
  const endpoint = `http://127.0.0.1:${port}`
  const url = `s3://archive?endpoint=${encodeURIComponent(endpoint)}`
  return extendServer(server, { endpoint, credentials, url })
}
