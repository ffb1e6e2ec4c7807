import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { ObjectBody } from '../../object-store.js'
import { objectStoreErrors } from '../../object-store-errors.js'
import { cutIntoParts, PART_BYTES } from './cut-into-parts.js'

/** Parts of one upload that are sent at the same time. With the part that is being filled they bound the memory of an upload to 64 MiB. */
const PARTS_AT_ONCE = 3
/** S3's limit. */
const PARTS_MAX = 10_000
/** For the attempt to remove the parts of a failed upload; `removeAbandonedUploads` does it later otherwise. */
const ABORT_TIMEOUT_MS = 10_000

export interface UploadTarget {
  readonly Bucket: string
  readonly Key: string
  readonly ContentType: string
  readonly Metadata: Record<string, string>
  readonly ServerSideEncryption?: 'AES256' | 'aws:kms'
  readonly SSEKMSKeyId?: string
}

interface UploadDeps {
  readonly client: S3Client
  readonly signal: AbortSignal | undefined
}

/**
 * Stores a body: in one request if it fits into a part, else as a multipart upload. When a part fails, the others are
 * cancelled, the body is not read any further, and the upload is aborted, which removes its parts. The SDK's own helper
 * goes on to send all parts first. Returns the number of bytes.
 */
export async function uploadObject(
  target: UploadTarget,
  { body, ifAbsent }: { readonly body: ObjectBody; readonly ifAbsent: boolean },
  { client, signal }: UploadDeps,
): Promise<number> {
  const condition = ifAbsent ? { IfNoneMatch: '*' } : {}
  const failing = new AbortController()
  const ending = signal === undefined ? failing.signal : AbortSignal.any([signal, failing.signal])
  const parts = cutIntoParts(body, ending)
  try {
    const first = await parts.next()
    const second = await parts.next()
    const firstBytes = first.value ?? new Uint8Array(0)
    if (second.done === true) {
      await client.send(new PutObjectCommand({ ...target, ...condition, Body: firstBytes }), { abortSignal: ending })
      return firstBytes.length
    }
    const all = followedBy([firstBytes, second.value], parts)
    return await uploadParts({ target, condition, parts: all, failing }, { client, signal: ending })
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
  /** Ends the reading of the body and the sending of the other parts when one fails. */
  readonly failing: AbortController
}

interface PartsDeps {
  readonly client: S3Client
  /** Also of `failing`. */
  readonly signal: AbortSignal
}

async function uploadParts({ target, condition, parts, failing }: Parts, deps: PartsDeps): Promise<number> {
  const { client, signal } = deps
  const { Bucket, Key } = target
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'CRC32' }), {
    abortSignal: signal,
  })
  const upload = { Bucket, Key, UploadId }
  try {
    const { sent, bytes } = await sendParts({ upload, parts, failing }, deps)
    signal.throwIfAborted()
    // Not cancelled by the signal: nobody would know whether the object is stored.
    await client.send(new CompleteMultipartUploadCommand({ ...upload, ...condition, MultipartUpload: { Parts: sent } }))
    return bytes
  } catch (error) {
    const abortSignal = AbortSignal.timeout(ABORT_TIMEOUT_MS)
    await client.send(new AbortMultipartUploadCommand(upload), { abortSignal }).catch(() => undefined)
    throw error
  }
}

interface Sending {
  readonly upload: { readonly Bucket: string; readonly Key: string; readonly UploadId: string | undefined }
  readonly parts: AsyncIterable<Uint8Array>
  readonly failing: AbortController
}

async function sendParts(
  { upload, parts, failing }: Sending,
  { client, signal }: PartsDeps,
): Promise<{ sent: CompletedPart[]; bytes: number }> {
  const sent: CompletedPart[] = []
  const sending = new Set<Promise<void>>()
  const send = async (PartNumber: number, Body: Uint8Array): Promise<void> => {
    try {
      const part = { ...upload, PartNumber, Body, ChecksumAlgorithm: 'CRC32' as const }
      const { ETag, ChecksumCRC32 } = await client.send(new UploadPartCommand(part), { abortSignal: signal })
      sent[PartNumber - 1] = { PartNumber, ETag, ChecksumCRC32 }
    } catch (error) {
      // Ends the wait for a slow body at once. The reason of the first failure is the one that counts.
      failing.abort(error)
      throw error
    }
  }
  let number = 0
  let bytes = 0
  try {
    for await (const part of parts) {
      if (number === PARTS_MAX) throw tooLarge()
      bytes += part.length
      const request = send(++number, part).finally(() => sending.delete(request))
      // It may fail while the body is slow and nobody waits for it, which would end the process.
      request.catch(() => undefined)
      sending.add(request)
      if (sending.size >= PARTS_AT_ONCE) await Promise.race(sending)
    }
    await Promise.all(sending)
  } catch (error) {
    failing.abort(error)
    await Promise.allSettled(sending)
    throw failing.signal.reason
  }
  return { sent, bytes }
}

function tooLarge(): Error {
  const limit = (PARTS_MAX * PART_BYTES) / 1024 ** 3
  return objectStoreErrors.OBJECT_TOO_LARGE({ message: `an object may have ${limit} GiB at most on S3` })
}
