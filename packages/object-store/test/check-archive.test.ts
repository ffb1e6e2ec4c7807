import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { fallbackTestS3, findTestS3, freePort, startTestS3, type TestS3 } from '@millrace/testing'
import { checkArchive } from '../src/check-archive.js'

const folder = mkdtempSync(join(tmpdir(), 'millrace-check-archive-'))
afterAll(() => rmSync(folder, { recursive: true }))

const secret = (value: string) => ({ reveal: () => value })

describe('the check of an archive in a folder', () => {
  const check = (path: string) => checkArchive({ ARCHIVE_URL: `file:${path}`, MILLRACE_DATA_DIR: folder })

  it('finds no problem with a folder that has to be made, nor with the default folder', async () => {
    expect(await check(join(folder, 'new/archive'))).toBeUndefined()
    expect(existsSync(join(folder, 'new/archive'))).toBe(true)
    expect(await checkArchive({ MILLRACE_DATA_DIR: folder })).toBeUndefined()
    expect(existsSync(join(folder, 'archive'))).toBe(true)
  })

  it('names the setting, the folder and the reason when a file is in its place', async () => {
    writeFileSync(join(folder, 'file'), '')
    expect(await check(join(folder, 'file/archive'))).toMatch(
      /^ARCHIVE_URL names the folder \S+\/file\/archive, to which this process cannot write \(ENOTDIR.*\): correct the path/,
    )
  })

  // Root may write everywhere.
  const itAsUser = process.getuid?.() === 0 ? it.skip : it
  itAsUser('names the reason when the rights are missing', async () => {
    const path = mkdtempSync(join(folder, 'locked-'))
    chmodSync(path, 0o500)
    expect(await check(join(path, 'archive'))).toMatch(/cannot write \(EACCES/)
  })
})

describe('the check of an archive on an S3 server', () => {
  let server: TestS3
  let silent: Server
  beforeAll(async () => {
    const found = findTestS3()
    if (typeof found === 'string') console.warn(`TESTED ON s3rver: the check of an archive, because ${found}`)
    server = await startTestS3(typeof found === 'string' ? fallbackTestS3() : found)
    silent = createServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  })
  afterAll(async () => {
    silent.close()
    await server.stop()
  })

  const check = (url: string, { id = server.credentials.accessKeyId, key = server.credentials.secretAccessKey } = {}) =>
    checkArchive({
      ARCHIVE_URL: url,
      ARCHIVE_S3_ACCESS_KEY_ID: secret(id),
      ARCHIVE_S3_SECRET_ACCESS_KEY: secret(key),
      MILLRACE_DATA_DIR: folder,
    })
  const at = (port: number | string, scheme = 'http') => `s3://archive?endpoint=${scheme}://127.0.0.1:${port}`

  it('finds no problem with right keys, with and without a prefix', async () => {
    expect(await check(server.url)).toBeUndefined()
    expect(await check(server.url.replace('archive?', 'archive/a/b?'))).toBeUndefined()
  })

  it.each<[string, () => Promise<string | undefined>, RegExp]>([
    [
      'a missing bucket',
      () => check(server.url.replace('archive', 'missing')),
      /^127\.0\.0\.1:\d+ has no bucket missing: create it, or correct ARCHIVE_URL$/,
    ],
    [
      'an unknown key',
      () => check(server.url, { id: 'nobody' }),
      /^127\.0\.0\.1:\d+ does not know the key of ARCHIVE_S3_ACCESS_KEY_ID: correct it$/,
    ],
    [
      'a wrong secret',
      () => check(server.url, { key: 'hunter2' }),
      /^127\.0\.0\.1:\d+ refuses the key of ARCHIVE_S3_SECRET_ACCESS_KEY: correct it$/,
    ],
    [
      'a closed port',
      async () => await check(at(await freePort())),
      /^ARCHIVE_URL names 127\.0\.0\.1:\d+, where nothing listens: start the S3 server/,
    ],
    [
      'an unknown host',
      () => check('s3://archive?endpoint=http://no-such-host.invalid'),
      /^ARCHIVE_URL names no-such-host\.invalid, and there is no host of this name/,
    ],
    [
      'a server that does not answer',
      () => check(at((silent.address() as { port: number }).port)),
      /^ARCHIVE_URL names 127\.0\.0\.1:\d+, which gives no answer within 5 s/,
    ],
    [
      'TLS with a server without',
      () => check(at(new URL(server.endpoint).port, 'https')),
      /^ARCHIVE_URL names 127\.0\.0\.1:\d+, where TLS fails: correct the port, or use http:/,
    ],
  ])('names the setting and the remedy in one sentence: %s', async (_, run, sentence) => {
    const problem = await run()
    expect(problem).toMatch(sentence)
    expect(problem).not.toMatch(/hunter2|\n/)
  })
})
