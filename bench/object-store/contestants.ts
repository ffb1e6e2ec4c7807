import { createReadStream } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { openObjectStore, parseObjectStoreUrl } from '@millrace/object-store'
import type { Contestant, Target } from './contestant.js'

/** `raw` of a folder is the least that is durable: write, fsync, rename. `raw` of S3 is the AWS SDK alone with its defaults and parts of the same size. */
export const CONTESTANTS: Readonly<Record<string, (target: Target) => Promise<Contestant>>> = {
  driver: openDriver,
  raw: async (target) => (target.url.startsWith('s3:') ? openSdk(target) : openFiles(target)),
}

const PART_BYTES = 16 * 1024 ** 2
const PARTS_AT_ONCE = 3

async function openDriver({ url, credentials }: Target): Promise<Contestant> {
  const store = await openObjectStore(parseObjectStoreUrl(url), { credentials })
  return {
    put: async (key, bytes) => void (await store.put(key, bytes)),
    putStream: async (key, pieces) => void (await store.put(key, pieces)),
    get: async (key) => await countBytes((await store.get(key)).body),
    close: () => store.close(),
  }
}

function openFiles({ url }: Target): Contestant {
  const address = parseObjectStoreUrl(url)
  if (address.driver !== 'file') throw new Error(`${url} is no folder`)
  const { directory } = address
  const write = async (key: string, pieces: Iterable<Buffer> | AsyncIterable<Buffer>) => {
    const path = join(directory, 'raw', key)
    await mkdir(dirname(path), { recursive: true })
    const file = await open(`${path}.new`, 'w')
    for await (const piece of pieces) await file.write(piece)
    await file.sync()
    await file.close()
    await rename(`${path}.new`, path)
  }
  return {
    put: (key, bytes) => write(key, [bytes]),
    putStream: write,
    get: (key) => countBytes(createReadStream(join(directory, 'raw', key), { highWaterMark: 256 * 1024 })),
    close: async () => {},
  }
}

function openSdk({ url, credentials }: Target): Contestant {
  const address = parseObjectStoreUrl(url)
  if (address.driver !== 's3') throw new Error(`${url} is no bucket`)
  const { bucket: Bucket, endpoint, region } = address
  const client = new S3Client({
    region,
    forcePathStyle: true,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
  })
  return {
    put: async (key, Body) => void (await client.send(new PutObjectCommand({ Bucket, Key: `raw/${key}`, Body }))),
    putStream: (key, pieces) => uploadParts(client, { Bucket, Key: `raw/${key}` }, pieces),
    get: async (key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: `raw/${key}` }))
      return await countBytes(Body as AsyncIterable<Uint8Array>)
    },
    close: async () => client.destroy(),
  }
}

async function uploadParts(
  client: S3Client,
  target: { readonly Bucket: string; readonly Key: string },
  pieces: AsyncIterable<Buffer>,
): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'CRC32' }))
  const parts: { PartNumber: number; ETag: string | undefined; ChecksumCRC32: string | undefined }[] = []
  const sending = new Set<Promise<void>>()
  const send = async (PartNumber: number, Body: Buffer) => {
    const part = { ...target, UploadId, PartNumber, Body, ChecksumAlgorithm: 'CRC32' as const }
    const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand(part))
    parts[PartNumber - 1] = { PartNumber, ETag, ChecksumCRC32 }
  }
  let number = 0
  for await (const part of gather(pieces)) {
    const request = send(++number, part).finally(() => sending.delete(request))
    sending.add(request)
    if (sending.size >= PARTS_AT_ONCE) await Promise.race(sending)
  }
  await Promise.all(sending)
  await client.send(new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts: parts } }))
}

async function* gather(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = []
  let bytes = 0
  for await (const piece of pieces) {
    held.push(piece)
    bytes += piece.length
    if (bytes < PART_BYTES) continue
    yield Buffer.concat(held)
    held = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(held)
}

async function countBytes(body: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0
  await pipeline(body, async (pieces: AsyncIterable<Uint8Array>) => {
    for await (const piece of pieces) bytes += piece.length
  })
  return bytes
}
