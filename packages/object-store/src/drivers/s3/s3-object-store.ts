import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  paginateListObjectsV2,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { isMillraceError } from '@millrace/contracts'
import { CallerBodyError } from '../../caller-body.js'
import { checkKey, isValidKey } from '../../object-key.js'
import { checkRange } from '../../object-range.js'
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
import { abortAbandonedUploads } from './abandoned-uploads.js'
import { readBody } from './read-body.js'
import { createS3Client, type S3Address, type S3Options } from './s3-client.js'
import { isMissingUpload, statusOf, toS3Error } from './to-s3-error.js'
import { type UploadTarget, uploadObject } from './upload-object.js'

/** The metadata of an object that names the call of `put` which stored it. */
const PUT_ID = 'millrace-put'
/** What `check` begins to upload: no valid key, so it is never an object. */
const CHECK_KEY = '.check'

/** Opens a store in a bucket, which must exist. Nothing is sent before the first call. */
export function openS3ObjectStore(address: S3Address, options: S3Options): ObjectStore {
  return new S3ObjectStore(address, createS3Client(address, options))
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
    const putId = randomUUID()
    const target = {
      ...this.#target(key),
      ContentType: contentType,
      Metadata: { [PUT_ID]: putId },
      ...this.#encryption(),
    }
    signal?.throwIfAborted()
    try {
      const bytes = await uploadObject(target, { body, ifAbsent }, { client: this.#client, signal })
      return { key, bytes, modifiedAt: new Date() }
    } catch (error) {
      const isConflict = ifAbsent && [409, 412].includes(statusOf(error) ?? 0)
      if (isConflict || isMissingUpload(error)) return await this.#explainRefusal(key, putId, error)
      throw this.#toError(error, `storing the object ${key}`, signal)
    }
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<StoredObject> {
    const target = this.#target(key)
    checkRange(range)
    signal?.throwIfAborted()
    if (range?.bytes === 0) return await this.#getNothing(key)
    const last = range?.bytes === undefined ? '' : range.offset + range.bytes - 1
    const Range = range === undefined ? undefined : `bytes=${range.offset}-${last}`
    try {
      const options = signal === undefined ? {} : { abortSignal: signal }
      const answer = await this.#client.send(new GetObjectCommand({ ...target, Range }), options)
      const { ContentRange, ContentLength = 0, ETag, LastModified = new Date(0) } = answer
      const source = answer.Body as Readable
      const start = range?.offset ?? 0
      if (range !== undefined && ContentLength > 0 && ContentRange?.startsWith(`bytes ${start}-`) !== true) {
        source.destroy()
        throw new Error('the server has ignored the range')
      }
      const info = {
        key,
        bytes: Number(/\/(\d+)$/.exec(ContentRange ?? '')?.[1] ?? ContentLength),
        modifiedAt: LastModified,
      }
      const end = start + ContentLength
      const reopen = (at: number, abortSignal: AbortSignal) =>
        this.#reopen({ ...target, ETag }, { at, end }, abortSignal)
      const toError = (error: unknown) => this.#toError(error, `reading the object ${key}`, signal)
      return { info, body: readBody({ source, start, end, reopen, toError, signal }) }
    } catch (error) {
      // The range begins at or after the end.
      if (statusOf(error) === 416) return await this.#getNothing(key)
      if (isMissingObject(error)) throw notFound(key)
      throw this.#toError(error, `reading the object ${key}`, signal)
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    return (await this.#describe(key))?.info
  }

  async *list({ prefix = '', after, signal }: ListOptions = {}): AsyncGenerator<ObjectInfo> {
    this.#throwIfClosed()
    const { bucket, prefix: own } = this.#address
    const request = { Bucket: bucket, Prefix: own + prefix, ...(after !== undefined && { StartAfter: own + after }) }
    try {
      signal?.throwIfAborted()
      const options = signal === undefined ? {} : { abortSignal: signal }
      for await (const page of paginateListObjectsV2({ client: this.#client }, request, options)) {
        for (const { Key = '', Size = 0, LastModified = new Date(0) } of page.Contents ?? []) {
          signal?.throwIfAborted()
          const key = Key.slice(own.length)
          if (isValidKey(key)) yield { key, bytes: Size, modifiedAt: LastModified }
        }
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
    try {
      return await abortAbandonedUploads(this.#client, { Bucket, Prefix }, before)
    } catch (error) {
      throw this.#toError(error, `removing abandoned uploads in ${this.location}`)
    }
  }

  async check({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#throwIfClosed()
    signal?.throwIfAborted()
    const { bucket: Bucket, prefix: Prefix } = this.#address
    const options = signal === undefined ? {} : { abortSignal: signal }
    try {
      // Unlike HeadBucket, its errors have a text.
      await this.#client.send(new ListObjectsV2Command({ Bucket, Prefix, MaxKeys: 1 }), options)
      // Needs the same rights as a write and, unlike an object, leaves no version and is not held by an object lock.
      const target = { Bucket, Key: Prefix + CHECK_KEY }
      const { UploadId } = await this.#client.send(
        new CreateMultipartUploadCommand({ ...target, ...this.#encryption() }),
        options,
      )
      await this.#client.send(new AbortMultipartUploadCommand({ ...target, UploadId }), options)
    } catch (error) {
      throw this.#toError(error, `reaching ${this.location}`, signal)
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

  /**
   * What happened to a put whose last request the server has refused. The SDK repeats a request whose answer was lost,
   * and then the server refuses the second one, because the object exists or the upload is completed.
   */
  async #explainRefusal(key: string, putId: string, cause: unknown): Promise<ObjectInfo> {
    const stored = await this.#describe(key)
    if (stored?.putId === putId) return stored.info
    const isStoredByAnother = !isMissingUpload(cause) && (stored !== undefined || statusOf(cause) === 412)
    if (isStoredByAnother)
      throw objectStoreErrors.OBJECT_EXISTS({ message: `the object ${key} exists`, details: { key }, cause })
    const reason = isMissingUpload(cause) ? 'its upload was removed' : 'another write of it was under way'
    throw objectStoreErrors.OBJECT_STORE_UNAVAILABLE({ message: `storing the object ${key}: ${reason}`, cause })
  }

  async #describe(key: string): Promise<{ info: ObjectInfo; putId: string | undefined } | undefined> {
    try {
      const answer = await this.#client.send(new HeadObjectCommand(this.#target(key)))
      const { ContentLength: bytes = 0, LastModified: modifiedAt = new Date(0), Metadata } = answer
      return { info: { key, bytes, modifiedAt }, putId: Metadata?.[PUT_ID] }
    } catch (error) {
      if (isMissingObject(error)) return undefined
      throw this.#toError(error, `reading the object ${key}`)
    }
  }

  /** The rest of an object, unless it was replaced meanwhile. */
  async #reopen(
    { Bucket, Key, ETag }: { readonly Bucket: string; readonly Key: string; readonly ETag: string | undefined },
    { at, end }: { readonly at: number; readonly end: number },
    abortSignal: AbortSignal,
  ): Promise<Readable> {
    const Range = `bytes=${at}-${end - 1}`
    const answer = await this.#client.send(new GetObjectCommand({ Bucket, Key, IfMatch: ETag, Range }), { abortSignal })
    return answer.Body as Readable
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
