import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type MultipartUpload,
  type S3Client,
} from '@aws-sdk/client-s3'
import { isMissingUpload } from './to-s3-error.js'

interface Scope {
  readonly Bucket: string
  readonly Prefix: string
}

/** Aborts the uploads below the prefix that have had no part since `before`. Returns their number. */
export async function abortAbandonedUploads(client: S3Client, scope: Scope, before: Date): Promise<number> {
  let aborted = 0
  let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
  for (;;) {
    const page = await client.send(new ListMultipartUploadsCommand({ ...scope, ...markers }))
    for (const upload of page.Uploads ?? []) if (await abortIfAbandoned(client, { scope, upload, before })) aborted++
    if (page.IsTruncated !== true) return aborted
    markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
  }
}

interface Candidate {
  readonly scope: Scope
  readonly upload: MultipartUpload
  readonly before: Date
}

async function abortIfAbandoned(client: S3Client, { scope, upload, before }: Candidate): Promise<boolean> {
  const { Key, UploadId, Initiated } = upload
  if (Initiated === undefined || Initiated >= before) return false
  const target = { Bucket: scope.Bucket, Key, UploadId }
  try {
    if (await hasPartSince(client, target, before)) return false
    await client.send(new AbortMultipartUploadCommand(target))
    return true
  } catch (error) {
    // Its writer has completed or aborted it meanwhile.
    if (isMissingUpload(error)) return false
    throw error
  }
}

interface Upload {
  readonly Bucket: string
  readonly Key: string | undefined
  readonly UploadId: string | undefined
}

/** The upload of a large object may have begun long ago and still grow. */
async function hasPartSince(client: S3Client, upload: Upload, since: Date): Promise<boolean> {
  // Not with the SDK's pagination, which goes on without end when a server gives a marker after its last page too.
  for (let PartNumberMarker: string | undefined; ; ) {
    const page = await client.send(new ListPartsCommand({ ...upload, PartNumberMarker }))
    if (page.Parts?.some(({ LastModified }) => LastModified !== undefined && LastModified >= since)) return true
    if (page.IsTruncated !== true) return false
    PartNumberMarker = page.NextPartNumberMarker
  }
}
