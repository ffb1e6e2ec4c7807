import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import dns from 'node:dns'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { findTestS3, startTcpProxy, startTestS3, type TestS3, waitFor, within } from '@millrace/testing'
import { type ObjectStore, openObjectStore, parseObjectStoreUrl, type S3Options } from '../src/index.js'
import { type RecordedRequest, type RecordingProxy, startRecordingProxy } from './recording-proxy.js'

const MIB = 1024 ** 2
const HOUR_MS = 3_600_000
/** Far above what the limits of the tests allow, far below the default ones. */
const LIMIT_MS = 60_000

const found = findTestS3()
if (typeof found === 'string') console.warn(`NOT TESTED: the requests of the S3 driver, because ${found}`)
const describeWithS3 = typeof found === 'string' ? describe.skip : describe

async function read(store: ObjectStore, key: string): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of (await store.get(key)).body as AsyncIterable<Uint8Array>) pieces.push(piece)
  return Buffer.concat(pieces)
}

const isPut = ({ method, path }: RecordedRequest) => method === 'PUT' && !path.includes('partNumber')
const isPart = ({ method, path }: RecordedRequest) => method === 'PUT' && path.includes('partNumber')
const isCreation = ({ method, path }: RecordedRequest) => method === 'POST' && path.includes('?uploads')
const isCompletion = ({ method, path }: RecordedRequest) => method === 'POST' && path.includes('uploadId')

describeWithS3('the S3 driver', () => {
  let server: TestS3
  let proxy: RecordingProxy
  const stores: ObjectStore[] = []
  const port = () => Number(new URL(server.endpoint).port)
  /** A store whose requests go through the proxy. */
  const open = async (parameters = '', options: S3Options = {}, host = '127.0.0.1', at = proxy.port) => {
    const endpoint = encodeURIComponent(`http://${host}:${at}`)
    const address = parseObjectStoreUrl(`s3://archive?endpoint=${endpoint}${parameters}`)
    const store = await openObjectStore(address, { credentials: server.credentials, ...options })
    stores.push(store)
    return store
  }
  beforeAll(async () => {
    server = await startTestS3(found as Exclude<typeof found, string>)
    proxy = await startRecordingProxy(port())
  })
  afterEach(async () => {
    proxy.handle = () => 'pass'
    proxy.requests.length = 0
    proxy.answered.length = 0
    for (const store of stores.splice(0)) await store.close()
  })
  afterAll(async () => {
    await proxy?.stop()
    await server?.stop()
  })

  it.each([
    ['&encryption=AES256', { 'x-amz-server-side-encryption': 'AES256' }],
    [
      '&encryption=aws:kms&kms_key_id=alias/archive',
      { 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-server-side-encryption-aws-kms-key-id': 'alias/archive' },
    ],
  ])('asks the server to encrypt every new object with %s', async (parameters, headers) => {
    const store = await open(parameters)
    // The test server cannot encrypt; the requests are what counts here.
    proxy.handle = () => (response) => response.writeHead(403).end()
    await expect(store.put('small', Buffer.from('x'))).rejects.toMatchObject({ code: 'OBJECT_STORE_REFUSED' })
    await expect(store.put('large', Buffer.alloc(17 * MIB))).rejects.toMatchObject({ code: 'OBJECT_STORE_REFUSED' })
    expect(proxy.requests.filter((request) => isPut(request) || isCreation(request))).toEqual([
      expect.objectContaining({ method: 'PUT', headers: expect.objectContaining(headers) }),
      expect.objectContaining({ method: 'POST', headers: expect.objectContaining(headers) }),
    ])
  })

  it('sends a checksum with every object and part, and asks for one with every read', async () => {
    const store = await open()
    await store.put('checksum/small', Buffer.from('x'))
    await store.put('checksum/large', randomBytes(17 * MIB))
    await read(store, 'checksum/small')
    const sent = proxy.requests.filter((request) => isPut(request) || isPart(request))
    expect(sent).toHaveLength(3)
    for (const { headers } of sent) expect(headers['x-amz-checksum-crc32']).toMatch(/^[\w+/]+=*$/)
    const reads = proxy.requests.filter(({ method }) => method === 'GET')
    expect(reads.map(({ headers }) => headers['x-amz-checksum-mode'])).toEqual(['ENABLED'])
  })

  it('ends a read with an error when the bytes that arrive do not have the checksum of the object', async () => {
    const store = await open()
    await store.put('damaged', Buffer.alloc(1000, 1))
    proxy.handle = () => (response) => {
      // The checksum of other bytes.
      response.writeHead(200, { 'content-length': 1000, 'x-amz-checksum-crc32': 'AAAAAA==' })
      response.end(Buffer.alloc(1000, 2))
    }
    await expect(read(store, 'damaged')).rejects.toThrow('Checksum mismatch')
  })

  it('knows its own object when the answer to a put only if absent is lost', async () => {
    const store = await open()
    for (const [key, body, isLost] of [
      ['lost/small', Buffer.from('mine'), isPut],
      ['lost/large', randomBytes(20 * MIB), isCompletion],
    ] as const) {
      let losses = 0
      proxy.handle = (request) => (isLost(request) && losses++ === 0 ? 'lose-answer' : 'pass')
      expect(await store.put(key, body, { ifAbsent: true })).toMatchObject({ key, bytes: body.length })
      expect(losses).toBeGreaterThan(1)
      expect((await read(store, key)).equals(body)).toBe(true)
      await expect(store.put(key, body, { ifAbsent: true })).rejects.toMatchObject({ code: 'OBJECT_EXISTS' })
    }
  })

  it('knows its own object when the answer to the completion of an upload is lost', async () => {
    const store = await open()
    const body = randomBytes(20 * MIB)
    let losses = 0
    proxy.handle = (request) => (isCompletion(request) && losses++ === 0 ? 'lose-answer' : 'pass')
    expect(await store.put('lost/completion', body)).toMatchObject({ bytes: body.length })
    expect(losses).toBeGreaterThan(1)
    expect((await read(store, 'lost/completion')).equals(body)).toBe(true)
  })

  it('does not call an object stored whose upload another process has removed', async () => {
    const store = await open()
    const other = await open()
    async function* body() {
      yield randomBytes(40 * MIB)
      await waitFor(() => proxy.requests.some(isPart))
      expect(await other.removeAbandonedUploads(new Date(Date.now() + HOUR_MS))).toBe(1)
      yield randomBytes(10)
    }
    await expect(store.put('removed', body())).rejects.toMatchObject({ code: expect.stringMatching(/^OBJECT_STORE_/) })
    expect(await store.head('removed')).toBeUndefined()
  })

  it('does not remove an upload that began before the given time and still grows', async () => {
    const store = await open()
    let before = new Date(0)
    async function* body() {
      yield randomBytes(40 * MIB)
      await waitFor(() => proxy.requests.some(isCreation))
      // The server counts in seconds.
      await delay(2100)
      before = new Date()
      await delay(1100)
      yield randomBytes(17 * MIB)
      await waitFor(() => proxy.answered.filter(isPart).length > 2)
      expect(await store.removeAbandonedUploads(before)).toBe(0)
    }
    await store.put('growing', body())
    expect(await store.head('growing')).toMatchObject({ bytes: 57 * MIB })
  })

  it('ends a put at once when a part fails while the body hangs, and does not end the process', async () => {
    const store = await open()
    proxy.handle = (request) => (isPart(request) ? (response) => response.writeHead(403).end() : 'pass')
    async function* body() {
      yield randomBytes(17 * MIB)
      yield randomBytes(17 * MIB)
      await new Promise(() => undefined)
    }
    const putting = store.put('hanging', body())
    await expect(within(LIMIT_MS, putting)).rejects.toMatchObject({ code: 'OBJECT_STORE_REFUSED' })
    expect(await store.removeAbandonedUploads(new Date(Date.now() + HOUR_MS))).toBe(0)
  })

  it('goes on at the same byte when the connection of a read ends early', async () => {
    const store = await open()
    const body = randomBytes(8 * MIB)
    await store.put('resumed', body)
    const slow = await startTcpProxy(port())
    const through = await open('', {}, '127.0.0.1', slow.port)
    const pieces: Uint8Array[] = []
    let cuts = 0
    for await (const piece of (await through.get('resumed', { range: { offset: 100 } })).body) {
      pieces.push(piece as Uint8Array)
      if (pieces.length % 20 === 0 && cuts < 3) {
        cuts++
        await slow.set('refuse')
        await slow.set('pass')
      }
    }
    expect(cuts).toBe(3)
    expect(Buffer.concat(pieces).equals(body.subarray(100))).toBe(true)
    await slow.stop()
  })

  it('ends a read with an error when the object was replaced before the read could go on', async () => {
    const store = await open()
    await store.put('replaced', Buffer.alloc(8 * MIB, 1))
    const slow = await startTcpProxy(port())
    const through = await open('', {}, '127.0.0.1', slow.port)
    const { body } = await through.get('replaced')
    const reading = (async () => {
      let isCut = false
      for await (const piece of body) {
        expect((piece as Buffer).every((byte) => byte === 1)).toBe(true)
        if (isCut) continue
        isCut = true
        await store.put('replaced', Buffer.alloc(8 * MIB, 2))
        await slow.set('refuse')
        await slow.set('pass')
      }
    })()
    await expect(reading).rejects.toMatchObject({ message: expect.stringContaining('reading the object replaced') })
    await slow.stop()
  })

  it('gives the connection of a read back when its body is destroyed before anything was read', async () => {
    const store = await open()
    await store.put('unread', randomBytes(8 * MIB))
    const before = await proxy.openConnections()
    for (let turn = 0; turn < 60; turn++) (await store.get('unread')).body.destroy()
    await waitFor(async () => (await proxy.openConnections()) <= before + 2)
    expect((await store.head('unread'))?.bytes).toBe(8 * MIB)
  })

  it('refuses the whole object that a server sends instead of a range', async () => {
    const store = await open()
    await store.put('whole', Buffer.alloc(1000))
    proxy.handle = () => (response) => response.writeHead(200, { 'content-length': 1000 }).end(Buffer.alloc(1000))
    const reading = store.get('whole', { range: { offset: 10, bytes: 5 } })
    await expect(reading).rejects.toThrow('the server has ignored the range')
  })

  it('names the bucket in the host when the endpoint takes it there', async () => {
    const { lookup } = dns
    // The name archive.s3.test belongs to this machine during the test.
    dns.lookup = ((host: string, ...rest: [object, () => void]) =>
      lookup(host.endsWith('s3.test') ? '127.0.0.1' : host, ...rest)) as typeof lookup
    try {
      const store = await open('&path_style=false', {}, 's3.test')
      await store.put('virtual/key', Buffer.from('x'))
      expect((await read(store, 'virtual/key')).toString()).toBe('x')
      const paths = proxy.requests.map(({ path, headers }) => [headers.host, path.split('?')[0]])
      expect(paths).toEqual(Array.from({ length: 2 }, () => [`archive.s3.test:${proxy.port}`, '/virtual/key']))
    } finally {
      dns.lookup = lookup
    }
  })

  it('trusts an https endpoint whose authority it was given, and no other', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-tls-'))
    const files = { key: join(directory, 'key'), cert: join(directory, 'cert') }
    const subject = ['-subj', '/CN=s3', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']
    const out = ['-nodes', '-keyout', files.key, '-out', files.cert]
    const { status } = spawnSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...out, ...subject])
    expect(status).toBe(0)
    const [key, cert] = [files.key, files.cert].map((file) => readFileSync(file, 'utf8')) as [string, string]
    rmSync(directory, { recursive: true })
    const secure = await startRecordingProxy(port(), { tls: { key, cert } })
    const url = `s3://archive?endpoint=${encodeURIComponent(`https://127.0.0.1:${secure.port}`)}`
    for (const ca of [cert, undefined]) {
      const store = await openObjectStore(parseObjectStoreUrl(url), { credentials: server.credentials, ca })
      if (ca === undefined) await expect(store.check()).rejects.toThrow('self-signed certificate')
      else await store.put('tls', randomBytes(17 * MIB))
      await store.close()
    }
    await secure.stop()
  })

  it('ends every call on a frozen server after its time limit, and works again after it', async () => {
    const patient = await open('', {}, '127.0.0.1', port())
    await patient.put('frozen', randomBytes(1000))
    const store = await open('', { idleTimeoutMs: 1_000 }, '127.0.0.1', port())
    await server.pause()
    const unavailable = { code: 'OBJECT_STORE_UNAVAILABLE', retryable: true }
    const listing = (async () => {
      for await (const _ of store.list());
    })()
    const calls = [
      store.put('frozen/small', Buffer.from('x')),
      store.put('frozen/absent', Buffer.from('x'), { ifAbsent: true }),
      store.put('frozen/large', randomBytes(40 * MIB)),
      store.get('frozen'),
      store.head('frozen'),
      store.delete('frozen/small'),
      store.removeAbandonedUploads(new Date()),
      store.check(),
      listing,
    ]
    const results = await within(LIMIT_MS, Promise.allSettled(calls))
    await server.resume()
    for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: unavailable })
    // The server has the requests of the calls above to end first.
    await patient.check()
    expect(await read(store, 'frozen')).toHaveLength(1000)
    await store.check()
  })

  it('ends every call on a frozen server at once when the signal says so', async () => {
    const store = await open('', {}, '127.0.0.1', port())
    await store.put('frozen', randomBytes(1000))
    await server.pause()
    const signal = AbortSignal.timeout(200)
    const listing = (async () => {
      for await (const _ of store.list({ signal }));
    })()
    const calls = [
      store.put('frozen/small', Buffer.from('x'), { signal }),
      store.put('frozen/large', randomBytes(40 * MIB), { signal }),
      store.get('frozen', { signal }),
      store.check({ signal }),
      listing,
    ]
    const results = await within(LIMIT_MS, Promise.allSettled(calls))
    await server.resume()
    for (const result of results)
      expect(result).toMatchObject({ status: 'rejected', reason: { name: 'TimeoutError', code: 23 } })
  })

  it('stores and reads over a slow network', async () => {
    const slow = await startTcpProxy(port(), { delayMs: 100 })
    await slow.set('slow')
    const store = await open('', { idleTimeoutMs: 10_000 }, '127.0.0.1', slow.port)
    const body = randomBytes(17 * MIB)
    await store.put('slow', body)
    expect((await read(store, 'slow')).equals(body)).toBe(true)
    await store.close()
    await slow.stop()
  })

  it('works when the clock of this machine is an hour slow', async () => {
    const script = `
      const now = Date.now
      Date.now = () => now() - ${HOUR_MS}
      globalThis.Date = class extends Date { constructor(...args) { super(...(args.length === 0 ? [Date.now()] : args)) } }
      const { openObjectStore, parseObjectStoreUrl } = await import('@millrace/object-store')
      const store = await openObjectStore(parseObjectStoreUrl(${JSON.stringify(server.url)}), { credentials: ${JSON.stringify(server.credentials)} })
      await store.put('skew', Buffer.from('late'))
      console.log((await store.head('skew')).bytes)
      await store.close()`
    const args = ['--no-warnings', '--input-type=module', '-e', script]
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: import.meta.dirname })
    expect({ stdout, stderr }).toEqual({ stdout: '4\n', stderr: '' })
  })

  it('leaves nothing in the bucket after a check, which needs the right to write', async () => {
    const store = await open()
    const keys = async () => {
      const found: string[] = []
      for await (const { key } of store.list()) found.push(key)
      return found
    }
    // Of the tests before, which could not reach the server to abort their uploads.
    await store.removeAbandonedUploads(new Date(Date.now() + HOUR_MS))
    const before = await keys()
    await store.check()
    expect(await keys()).toEqual(before)
    expect(await store.removeAbandonedUploads(new Date(Date.now() + HOUR_MS))).toBe(0)
    proxy.handle = ({ method }) => (method === 'GET' ? 'pass' : (response) => response.writeHead(403).end())
    await expect(store.check()).rejects.toMatchObject({ code: 'OBJECT_STORE_REFUSED' })
  })

  it('tells apart a full server and a bucket elsewhere', async () => {
    const store = await open()
    proxy.handle = () => (response) => response.writeHead(507).end()
    await expect(store.put('a', Buffer.from('x'))).rejects.toMatchObject({ code: 'OBJECT_STORE_FULL' })
    proxy.handle = () => (response) => response.writeHead(301, { 'x-amz-bucket-region': 'eu-central-1' }).end()
    await expect(store.put('a', Buffer.from('x'))).rejects.toMatchObject({ code: 'OBJECT_STORE_REFUSED' })
  })

  it('says that it is refused when the SDK finds credentials in none of its places', async () => {
    const script = `
      const { openObjectStore, parseObjectStoreUrl } = await import('@millrace/object-store')
      const store = await openObjectStore(parseObjectStoreUrl(${JSON.stringify(server.url)}))
      await store.check().catch(({ code, message }) => console.log(code, message))
      await store.close()`
    const args = ['--no-warnings', '--input-type=module', '-e', script]
    const nowhere = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' }
    const env = { PATH: process.env.PATH, AWS_EC2_METADATA_DISABLED: 'true', ...nowhere }
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: import.meta.dirname, env })
    expect({ stdout, stderr }).toEqual({
      stdout: expect.stringMatching(/^OBJECT_STORE_REFUSED reaching s3:\/\/archive: CredentialsProviderError: /),
      stderr: '',
    })
  })
})
