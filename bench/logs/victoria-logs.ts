import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
import { ROOT } from '../lib/repository.js'

const VERSION = 'v1.52.1'
const MODULE = 'github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs'
const BUILD_MS = 900_000

/** A VictoriaLogs server on 127.0.0.1 with an empty store. */
export interface VictoriaLogs extends Server {
  readonly url: string
  readonly version: string
  readonly dataDir: string
}

/** Starts VictoriaLogs, built with Go into `.cache` the first time. Returns the reason as a text when it cannot be built. */
export async function startVictoriaLogs(): Promise<VictoriaLogs | string> {
  const command = build()
  if (!existsSync(command)) return command
  const dataDir = temporaryDirectory('millrace-victoria-logs-')
  const port = await freePort()
  const logFile = join(dataDir, 'victoria-logs.log')
  const args = [
    `-storageDataPath=${join(dataDir, 'data')}`,
    `-httpListenAddr=127.0.0.1:${port}`,
    '-retentionPeriod=100y',
    '-loggerLevel=WARN',
  ]
  const server = await startServer({
    name: 'VictoriaLogs',
    logFile,
    spawn: () => startChild({ name: 'VictoriaLogs', command, args, logFile, cwd: dataDir, env: process.env }),
    isReady: () => canConnect(port),
    readyDeadlineMs: 60_000,
    stopSignal: 'SIGTERM',
    stopGraceMs: 30_000,
    cleanUp: () => removeTemporary(dataDir),
  })
  return extendServer(server, { url: `http://127.0.0.1:${port}`, version: VERSION, dataDir: join(dataDir, 'data') })
}

/** The path of the program, or why there is none. */
function build(): string {
  const directory = join(ROOT, '.cache', `victoria-logs-${VERSION}`)
  const command = join(directory, 'victoria-logs')
  if (existsSync(command)) return command
  if (spawnSync('go', ['version']).status !== 0) return 'Go is not installed, which builds VictoriaLogs'
  mkdirSync(directory, { recursive: true })
  // Outside of a module `go install` takes the settings of the folders above.
  writeFileSync(join(directory, 'go.mod'), 'module victoria-logs-build\n')
  const built = spawnSync('go', ['install', `${MODULE}@${VERSION}`], {
    cwd: directory,
    env: { ...process.env, GOBIN: directory, GOFLAGS: '-mod=mod' },
    encoding: 'utf8',
    timeout: BUILD_MS,
  })
  return built.status === 0
    ? command
    : `go install ${MODULE}@${VERSION} failed: ${built.stderr.trim().split('\n').at(-1) ?? ''}`
}

/** Lines that a search finds, by LogsQL. */
export async function countPeerLines(url: string): Promise<number> {
  const text = await query(url, '* | count() as lines')
  return Number((JSON.parse(text || '{}') as { lines?: string }).lines ?? 0)
}

/** The response to a query, lines of JSON. */
export async function query(url: string, logsQl: string, limit?: number): Promise<string> {
  const body = new URLSearchParams({ query: logsQl, ...(limit !== undefined && { limit: String(limit) }) })
  const response = await fetch(`${url}/select/logsql/query`, { method: 'POST', body })
  const text = await response.text()
  if (!response.ok) throw new Error(`VictoriaLogs answered ${response.status}: ${text.slice(0, 300)}`)
  return text
}
