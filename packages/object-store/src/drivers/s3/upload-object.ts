import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { readBody } from '../../caller-body.js'
import type { ObjectBody } from '../../object-store.js'

/** S3 allows at most 10,000 parts of an upload, which makes 160 GiB. */
const PART_BYTES = 16 * 1024 ** 2
/** Parts of one upload that are sent at the same time. With the part that is being filled they bound the memory of an upload to 64 MiB. */
const PARTS_AT_ONCE = 3

export interface UploadTarget {
  readonly Bucket: string
  readonly Key: string
  readonly ContentType: string
  readonly ServerSideEncryption?: 'AES256' | 'aws:kms'
  readonly SSEKMSKeyId?: string
}

interface UploadDeps {
  readonly client: S3Client
  readonly signal: AbortSignal | undefined
}

/**
 * Stores a body: in one request if it fits into a part, else as a multipart upload. When a part fails, the others are
 * cancelled and the upload is aborted, which removes its parts. The SDK's own helper goes on to send all parts first.
 * Returns the number of bytes.
 */
export async function uploadObject(
  target: UploadTarget,
  { body, ifAbsent }: { readonly body: ObjectBody; readonly ifAbsent: boolean },
  { client, signal }: UploadDeps,
): Promise<number> {
  const condition = ifAbsent ? { IfNoneMatch: '*' } : {}
  const parts = cutIntoParts(body, signal)
  try {
    const first = await parts.next()
    const second = await parts.next()
    const firstBytes = first.value ?? new Uint8Array(0)
    if (second.done === true) {
      const options = signal === undefined ? {} : { abortSignal: signal }
      await client.send(new PutObjectCommand({ ...target, ...condition, Body: firstBytes }), options)
      return firstBytes.length
    }
    return await uploadParts(
      { target, condition, parts: followedBy([firstBytes, second.value], parts) },
      { client, signal },
    )
  } finally {
    await parts.return(undefined)
  }
}

async function* followedBy(first: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* first
  yield* rest
}

interface Parts {
  readonly target: UploadTarget
  readonly condition: { readonly IfNoneMatch?: string }
  readonly parts: AsyncIterable<Uint8Array>
}

async function uploadParts({ target, condition, parts }: Parts, { client, signal }: UploadDeps): Promise<number> {
  const { Bucket, Key } = target
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'CRC32' }),
    signal === undefined ? {} : { abortSignal: signal },
  )
  const upload = { Bucket, Key, UploadId }
  try {
    const { sent, bytes } = await sendParts(upload, parts, { client, signal })
    signal?.throwIfAborted()
    // Not cancelled by the signal: nobody would know whether the object is stored.
    await client.send(new CompleteMultipartUploadCommand({ ...upload, ...condition, MultipartUpload: { Parts: sent } }))
    return bytes
  } catch (error) {
    // A server that cannot be reached keeps the parts until `removeAbandonedUploads`.
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined)
    throw error
  }
}

interface OpenUpload {
  readonly Bucket: string
  readonly Key: string
  readonly UploadId: string | undefined
}

async function sendParts(
  upload: OpenUpload,
  parts: AsyncIterable<Uint8Array>,
  { client, signal }: UploadDeps,
): Promise<{ sent: CompletedPart[]; bytes: number }> {
  const failing = new AbortController()
  const abortSignal = signal === undefined ? failing.signal : AbortSignal.any([signal, failing.signal])
  const sent: CompletedPart[] = []
  const sending = new Set<Promise<void>>()
  let bytes = 0
  const send = async (PartNumber: number, Body: Uint8Array): Promise<void> => {
    const part = { ...upload, PartNumber, Body, ChecksumAlgorithm: 'CRC32' as const }
    const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand(part), { abortSignal })
    sent[PartNumber - 1] = { PartNumber, ETag, ChecksumCRC32 }
  }
  try {
    let number = 0
    for await (const part of parts) {
      bytes += part.length
      const request = send(++number, part).finally(() => sending.delete(request))
      sending.add(request)
      if (sending.size >= PARTS_AT_ONCE) await Promise.race(sending)
    }
    await Promise.all(sending)
  } catch (error) {
    failing.abort()
    await Promise.allSettled(sending)
    throw error
  }
  return { sent, bytes }
}

/** Cuts a body into parts of `PART_BYTES`; only the last one is shorter. An empty body has no part. */
async function* cutIntoParts(body: ObjectBody, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, undefined> {
  let part = Buffer.allocUnsafe(0)
  let filled = 0
  for await (const piece of readBody(body, signal)) {
    for (let at = 0; at < piece.length; ) {
      if (filled === part.length) {
        if (filled > 0) yield part
        // Small objects need no whole part.
        part = Buffer.allocUnsafeSlow(PART_BYTES)
        filled = 0
      }
      const copied = Math.min(piece.length - at, part.length - filled)
      part.set(piece.subarray(at, at + copied), filled)
      filled += copied
      at += copied
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
  return undefined
}
