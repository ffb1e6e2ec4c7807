import { existsSync, readdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { isAlive } from '@millrace/process-lock'
import { freePort } from './ports.js'
import { type PostgresOptions, type PostgresServer, startPostgres } from './postgres.js'
import { answersPostgres } from './postgres-probe.js'

let server: PostgresServer | undefined

afterEach(async () => {
  await server?.stop()
  server = undefined
})

async function start(options: PostgresOptions = {}): Promise<PostgresServer> {
  server = await startPostgres(options)
  return server
}

test('PostgreSQL starts empty without containers, as root and as another user, and stop removes its files', async () => {
  const { port, pid, dataDir, stop } = await start()
  expect(await answersPostgres(port)).toBe(true)
  await stop()
  expect(isAlive(pid)).toBe(false)
  expect(existsSync(dirname(dataDir))).toBe(false)
})

test('a new PostgreSQL cluster has the requested number of write-ahead log segments', async () => {
  const { dataDir } = await start({ walSegments: 8, settings: { min_wal_size: '128MB' } })
  expect(readdirSync(`${dataDir}/pg_wal`).filter((name) => /^[0-9A-F]{24}$/.test(name)).length).toBeGreaterThanOrEqual(
    8,
  )
})

test('PostgreSQL recovers on the same port after it was killed', async () => {
  const { port, pid, kill, restart } = await start()
  await kill()
  expect(await answersPostgres(port)).toBe(false)
  await restart()
  expect(await answersPostgres(port)).toBe(true)
  expect(server?.pid).not.toBe(pid)
})

test('the error contains the reason when PostgreSQL dies at start', async () => {
  await expect(start({ settings: { shared_buffers: 'much' } })).rejects.toThrow(/ended at start[\s\S]*shared_buffers/)
  const port = await freePort()
  const other = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1')
  await expect(start({ port })).rejects.toThrow(/could not bind IPv4 address/)
  await new Promise((resolve) => other.close(resolve))
})
