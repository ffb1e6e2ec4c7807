// npm run bench -- single-event: requests/s of POST /v1/track against an Express route that returns a constant; see README.md beside this file.
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { migrate } from '@millrace/database'
import {
  freePort,
  rememberChild,
  removeTemporary,
  startPostgres,
  startProcess,
  startRedis,
  temporaryDirectory,
} from '@millrace/local-stack'
import { describeMachine } from '../lib/machine.js'
import { ROOT } from '../lib/repository.js'
import { printTable, round, say, writeResult } from '../lib/results.js'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '8' },
    connections: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '3' },
  },
})
const KEY = 'mr_write_bench'
const stops: (() => unknown)[] = []

/** A server under load. */
interface Target {
  port: number
  pid: number
}

interface LoadFigures {
  requests_per_s: number
  failures: number
  p50_ms: number
  p99_ms: number
  client_cpu: number
}

interface TargetFigures extends LoadFigures {
  server_cpu_us: number
}

try {
  await bench()
} finally {
  for (const stop of stops.reverse()) await stop()
}

async function bench(): Promise<void> {
  const machine = describeMachine()
  say(`machine: ${JSON.stringify(machine)}`)
  const gateway = await startGateway()
  const express = await startExpress()
  const rounds: { express: TargetFigures; gateway: TargetFigures }[] = []
  for (let round = 0; round < Number(values.rounds); round++) {
    const pair = { express: await load(express), gateway: await load(gateway) }
    rounds.push(pair)
    say(
      `round ${round + 1}: Express ${Math.round(pair.express.requests_per_s)}/s, gateway ${Math.round(pair.gateway.requests_per_s)}/s`,
    )
  }
  const best = {
    express: median(rounds.map((round) => round.express)),
    gateway: median(rounds.map((round) => round.gateway)),
  }
  printTable(
    Object.entries(best).map(([server, figures]) => ({
      server,
      ...Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, round(value as number, 2)])),
    })),
  )
  const failures = rounds.reduce((sum, { express, gateway }) => sum + express.failures + gateway.failures, 0)
  if (failures > 0) say(`FAULT ${failures} answers were not 200`)
  const settings = { connections: Number(values.connections), seconds: Number(values.seconds), rounds: rounds.length }
  const result = {
    requests_per_s: round(best.gateway.requests_per_s),
    express_requests_per_s: round(best.express.requests_per_s),
    ratio_to_express: round(best.gateway.requests_per_s / best.express.requests_per_s, 2),
    p50_ms: round(best.gateway.p50_ms, 1),
    p99_ms: round(best.gateway.p99_ms, 1),
    cpu_us_per_event: round(best.gateway.server_cpu_us, 1),
    failures,
  }
  writeResult('single-event', { machine, settings, rounds, result })
  process.exitCode = failures === 0 ? 0 : 1
}

/** The gateway as it is shipped, with the servers that it needs: keys in PostgreSQL, limits and the stream in Redis with appendfsync always. */
async function startGateway(): Promise<Target> {
  const home = temporaryDirectory('millrace-bench-')
  stops.push(() => removeTemporary(home))
  const postgres = await startPostgres()
  stops.push(() => postgres.stop())
  const redis = await startRedis()
  stops.push(() => redis.stop())
  await migrate(postgres.url)
  const [port, adminPort] = [await freePort(), await freePort()]
  const service = await startProcess({
    name: 'ingest-gateway',
    script: join(ROOT, 'apps/ingest-gateway/dist/main.js'),
    cwd: ROOT,
    adminPort,
    logFile: join(home, 'log'),
    readyDeadlineMs: 30_000,
    env: {
      PATH: process.env.PATH,
      HTTP_PORT: String(port),
      ADMIN_PORT: String(adminPort),
      MILLRACE_DATA_DIR: home,
      DATABASE_URL: postgres.url,
      STREAM_REDIS_URL: redis.url,
      BOOTSTRAP_WRITE_KEY: KEY,
      RATE_LIMIT_EVENTS_PER_SECOND: '100000000',
      RATE_LIMIT_BURST_EVENTS: '200000000',
    },
  })
  stops.push(() => service.stop())
  return { port, pid: service.pid }
}

async function startExpress(): Promise<Target> {
  const port = await freePort()
  const child = fork(fileURLToPath(new URL('express.js', import.meta.url)), {
    env: { PATH: process.env.PATH, HTTP_PORT: String(port), NODE_ENV: 'production' },
  })
  if (child.pid !== undefined) child.once('exit', rememberChild(child.pid))
  await once(child, 'message')
  stops.push(async () => {
    child.kill('SIGTERM')
    await once(child, 'exit')
  })
  if (child.pid === undefined) throw new Error('Express cannot be started')
  return { port, pid: child.pid }
}

async function load({ port, pid }: Target): Promise<TargetFigures> {
  const args = { port, connections: values.connections, seconds: values.seconds, key: KEY }
  const cpuBefore = cpuSeconds(pid)
  const { stdout } = await promisify(execFile)(process.execPath, [
    fileURLToPath(new URL('load.js', import.meta.url)),
    ...Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]),
  ])
  const figures = JSON.parse(stdout) as LoadFigures
  const warmUpShare = 1 + 1.5 / Number(values.seconds)
  const server_cpu_us =
    ((cpuSeconds(pid) - cpuBefore) * 1e6) / (figures.requests_per_s * Number(values.seconds) * warmUpShare)
  return { ...figures, server_cpu_us }
}

/** Processor time of a process so far, from /proc; in hundredths of a second. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function median(figures: TargetFigures[]): TargetFigures {
  const middle = figures.toSorted((a, b) => a.requests_per_s - b.requests_per_s)[Math.floor(figures.length / 2)]
  if (middle === undefined) throw new Error('--rounds must be at least 1')
  return middle
}
