import { expect, test } from '@jest/globals'
import { Redis } from 'ioredis'
import pg from 'pg'
import { createTestDatabase, createTestRedis, findTestKafka, useTestKafka } from './index.js'
import { releaseLeaks } from './leaks.js'

test('each caller gets its own migrated database, and release drops it', async () => {
  const migrate = async (url: string) => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query('create table seen (id int)')
    await client.end()
  }
  const [first, second] = await Promise.all([createTestDatabase({ migrate }), createTestDatabase()])
  expect(first.url).not.toBe(second.url)
  const client = new pg.Client({ connectionString: first.url })
  await client.connect()
  expect((await client.query('select * from seen')).rowCount).toBe(0)
  await client.end()
  await first.release()
  await second.release()
  const late = new pg.Client({ connectionString: first.url })
  await expect(late.connect()).rejects.toThrow(/does not exist/)
})

test('releasing a database fails while a connection to it is open, and the error names the last statement', async () => {
  const database = await createTestDatabase()
  const client = new pg.Client({ connectionString: database.url })
  client.on('error', () => {})
  await client.connect()
  await client.query('select 42 as left_open')
  await expect(database.release(100)).rejects.toThrow(
    /1 connections .* left open.*select 42 as left_open \(.*idle.* s\)/,
  )
})

test('each caller gets an empty Redis database, and its release fails while a client is connected', async () => {
  const [first, second] = await Promise.all([createTestRedis(), createTestRedis()])
  const client = new Redis(first.url)
  await client.set('key', 'value')
  const other = new Redis(second.url)
  expect(await other.keys('*')).toEqual([])
  await expect(first.release(100)).rejects.toThrow(/1 clients .* left open.*set/)
  client.disconnect()
  other.disconnect()
  await second.release()
})

const testWithKafka = typeof findTestKafka('the shared Kafka broker') === 'string' ? test.skip : test

testWithKafka(
  'each caller gets the same Kafka broker with a prefix of its own',
  async () => {
    const [first, second] = await Promise.all([useTestKafka(), useTestKafka()])
    expect(first.brokers).toBe(second.brokers)
    expect(first.prefix).not.toBe(second.prefix)
  },
  120_000,
)

test('what a test file did not give back is named and given back', async () => {
  const database = await createTestDatabase()
  expect(await releaseLeaks()).toEqual([`database ${database.name}`])
  expect(await releaseLeaks()).toEqual([])
})
