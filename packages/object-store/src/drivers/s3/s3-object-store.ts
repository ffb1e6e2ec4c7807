import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  paginateListObjectsV2,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { isMillraceError } from '@millrace/contracts'
import { CallerBodyError } from '../../caller-body.js'
import { checkKey } from '../../object-key.js'
import type {
  GetOptions,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoredObject,
} from '../../object-store.js'
import { objectStoreErrors } from '../../object-store-errors.js'
import type { ObjectStoreAddress } from '../../parse-object-store-url.js'
import { statusOf, toS3Error } from './to-s3-error.js'
import { type UploadTarget, uploadObject } from './upload-object.js'

/** Static keys. */
export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

type S3Address = Extract<ObjectStoreAddress, { driver: 's3' }>

const CONNECT_TIMEOUT_MS = 5000
/** Longest time without a byte from the server. */
const IDLE_TIMEOUT_MS = 30_000
const ATTEMPTS_MAX = 4

/** Opens a store in a bucket, which must exist. Nothing is sent before the first call. */
export function openS3ObjectStore(
  address: S3Address,
  { credentials }: { readonly credentials?: S3Credentials | undefined },
): ObjectStore {
  const client = new S3Client({
    region: address.region,
    forcePathStyle: address.isPathStyle,
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: IDLE_TIMEOUT_MS },
    ...(address.endpoint !== undefined && { endpoint: address.endpoint }),
    ...(credentials !== undefined && { credentials }),
  })
  return new S3ObjectStore(address, client)
}

class S3ObjectStore implements ObjectStore {
  readonly location: string
  readonly #address: S3Address
  readonly #client: S3Client
  #isClosed = false

  constructor(address: S3Address, client: S3Client) {
    this.#address = address
    this.#client = client
    this.location = `s3://${address.bucket}/${address.prefix}`.replace(/\/$/, '')
  }

  async put(key: string, body: ObjectBody, options: PutOptions = {}): Promise<ObjectInfo> {
    const { ifAbsent = false, contentType = 'application/octet-stream', signal } = options
    const target = { ...this.#target(key), ContentType: contentType, ...this.#encryption() }
    signal?.throwIfAborted()
    try {
      const bytes = await uploadObject(target, { body, ifAbsent }, { client: this.#client, signal })
      return { key, bytes, modifiedAt: new Date() }
    } catch (error) {
      // 409: another upload of the same key was completed at the same moment.
      if (ifAbsent && [409, 412].includes(statusOf(error) ?? 0))
        throw objectStoreErrors.OBJECT_EXISTS({ message: `the object ${key} exists`, details: { key }, cause: error })
      throw this.#toError(error, `storing the object ${key}`, signal)
    }
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<StoredObject> {
    const target = this.#target(key)
    signal?.throwIfAborted()
    if (range?.bytes === 0) return await this.#getNothing(key)
    const last = range?.bytes === undefined ? '' : range.offset + range.bytes - 1
    const Range = range === undefined ? undefined : `bytes=${range.offset}-${last}`
    try {
      const options = signal === undefined ? {} : { abortSignal: signal }
      const answer = await this.#client.send(new GetObjectCommand({ ...target, Range }), options)
      const whole = /\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1] ?? answer.ContentLength ?? 0
      const info = { key, bytes: Number(whole), modifiedAt: answer.LastModified ?? new Date(0) }
      const bytes = this.#readBody(answer.Body as Readable, { key, bytes: answer.ContentLength ?? 0 })
      return { info, body: Readable.from(bytes, { objectMode: false, ...(signal !== undefined && { signal }) }) }
    } catch (error) {
      // The range begins at or after the end.
      if (statusOf(error) === 416) return await this.#getNothing(key)
      if (isMissingObject(error)) throw notFound(key)
      throw this.#toError(error, `reading the object ${key}`, signal)
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const target = this.#target(key)
    try {
      const { ContentLength, LastModified } = await this.#client.send(new HeadObjectCommand(target))
      return { key, bytes: ContentLength ?? 0, modifiedAt: LastModified ?? new Date(0) }
    } catch (error) {
      if (isMissingObject(error)) return undefined
      throw this.#toError(error, `reading the object ${key}`)
    }
  }

  async *list({ prefix = '', after, signal }: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    this.#throwIfClosed()
    const { bucket, prefix: own } = this.#address
    const request = { Bucket: bucket, Prefix: own + prefix, ...(after !== undefined && { StartAfter: own + after }) }
    try {
      for await (const page of paginateListObjectsV2({ client: this.#client }, request)) {
        signal?.throwIfAborted()
        for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? [])
          yield { key: Key.slice(own.length), bytes: Size, modifiedAt: LastModified }
      }
    } catch (error) {
      throw this.#toError(error, `listing the objects in ${this.location}`, signal)
    }
  }

  async delete(key: string): Promise<void> {
    const target = this.#target(key)
    try {
      await this.#client.send(new DeleteObjectCommand(target))
    } catch (error) {
      if (isMissingObject(error)) return
      throw this.#toError(error, `deleting the object ${key}`)
    }
  }

  async removeAbandonedUploads(before: Date): Promise<number> {
    this.#throwIfClosed()
    const { bucket: Bucket, prefix: Prefix } = this.#address
    let removed = 0
    try {
      let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
      for (;;) {
        const page = await this.#client.send(new ListMultipartUploadsCommand({ Bucket, Prefix, ...markers }))
        for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
          if (Initiated === undefined || Initiated >= before) continue
          await this.#client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
          removed++
        }
        if (page.IsTruncated !== true) return removed
        markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
      }
    } catch (error) {
      throw this.#toError(error, `removing abandoned uploads in ${this.location}`)
    }
  }

  async check(): Promise<void> {
    this.#throwIfClosed()
    try {
      // Unlike HeadBucket, its errors have a text.
      await this.#client.send(new ListObjectsV2Command({ Bucket: this.#address.bucket, MaxKeys: 1 }))
    } catch (error) {
      throw this.#toError(error, `reaching ${this.location}`)
    }
  }

  close(): Promise<void> {
    this.#isClosed = true
    this.#client.destroy()
    return Promise.resolve()
  }

  #target(key: string): Pick<UploadTarget, 'Bucket' | 'Key'> {
    this.#throwIfClosed()
    checkKey(key)
    return { Bucket: this.#address.bucket, Key: this.#address.prefix + key }
  }

  #encryption(): Pick<UploadTarget, 'ServerSideEncryption' | 'SSEKMSKeyId'> {
    const { encryption, kmsKeyId } = this.#address
    return {
      ...(encryption !== undefined && { ServerSideEncryption: encryption }),
      ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
    }
  }

  #throwIfClosed(): void {
    if (this.#isClosed)
      throw objectStoreErrors.OBJECT_STORE_UNAVAILABLE({ message: 'the object store is closed', retryable: false })
  }

  async #getNothing(key: string): Promise<StoredObject> {
    const info = await this.head(key)
    if (info === undefined) throw notFound(key)
    return { info, body: Readable.from([]) }
  }

  /** The bytes from the server. Ends with an error unless exactly `bytes` of them arrive. */
  async *#readBody(source: Readable, { key, bytes }: { readonly key: string; readonly bytes: number }) {
    let received = 0
    try {
      for await (const piece of source as AsyncIterable<Uint8Array>) {
        received += piece.length
        yield piece
      }
      if (received !== bytes) throw new Error(`${received} of ${bytes} bytes arrived`)
    } catch (error) {
      throw this.#toError(error, `reading the object ${key}`)
    }
  }

  #toError(error: unknown, action: string, signal?: AbortSignal): unknown {
    if (error instanceof CallerBodyError) return error.reason
    if (signal?.aborted === true) return signal.reason
    return isMillraceError(error) ? error : toS3Error(error, action)
  }
}

function notFound(key: string): Error {
  return objectStoreErrors.OBJECT_NOT_FOUND({ message: `there is no object ${key}`, details: { key } })
}

/** Not by the status 404, which a missing bucket and, on some servers, an unknown key of the caller have too. */
function isMissingObject(error: unknown): boolean {
  return error instanceof S3ServiceException && (error.name === 'NoSuchKey' || error.name === 'NotFound')
}
