import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { isAlive } from '@millrace/process-lock'
import { freePort } from './ports.js'
import { type PostgresOptions, type PostgresServer, startPostgres } from './postgres.js'
import { answersPostgres } from './postgres-probe.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'

let server: PostgresServer | undefined

afterEach(async () => {
  await server?.stop()
  server = undefined
})

async function start(options: PostgresOptions = {}): Promise<PostgresServer> {
  server = await startPostgres(options)
  return server
}

test('PostgreSQL starts empty without containers, as root and as another user, recovers on the same port after it was killed, and stop removes its files', async () => {
  const { port, pid, dataDir, kill, restart, stop } = await start()
  expect(await answersPostgres(port)).toBe(true)
  await kill()
  expect([isAlive(pid), await answersPostgres(port)]).toEqual([false, false])
  await restart()
  expect(await answersPostgres(port)).toBe(true)
  const next = server?.pid as number
  expect(next).not.toBe(pid)
  await stop()
  expect(isAlive(next)).toBe(false)
  expect(existsSync(dirname(dataDir))).toBe(false)
})

test('a new PostgreSQL cluster has the requested number of write-ahead log segments', async () => {
  const { dataDir } = await start({ walSegments: 8, settings: { min_wal_size: '128MB' } })
  expect(readdirSync(`${dataDir}/pg_wal`).filter((name) => /^[0-9A-F]{24}$/.test(name)).length).toBeGreaterThanOrEqual(
    8,
  )
})

test('the error contains the reason when PostgreSQL dies at start', async () => {
  const home = temporaryDirectory('millrace-postgres-')
  const dataDir = join(home, 'data')
  const wrong = start({ dataDir, settings: { shared_buffers: 'much' } })
  await expect(wrong).rejects.toThrow(/ended at start[\s\S]*shared_buffers/)
  const port = await freePort()
  const other = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1')
  await expect(start({ dataDir, port })).rejects.toThrow(/could not bind IPv4 address/)
  await new Promise((resolve) => other.close(resolve))
  removeTemporary(home)
})
