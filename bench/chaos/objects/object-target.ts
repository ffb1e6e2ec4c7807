import { type ObjectStore, openObjectStore, parseObjectStoreUrl, type S3Credentials } from '@millrace/object-store'

/** Where the objects of a run are. It can be sent to another process. */
export interface ObjectTarget {
  /** For `parseObjectStoreUrl`. */
  readonly url: string
  readonly credentials?: S3Credentials
}

/** Shorter than most freezes of the server, so that requests are given up and repeated. */
export const IDLE_TIMEOUT_MS = 2000

export async function openTarget({ url, credentials }: ObjectTarget): Promise<ObjectStore> {
  return await openObjectStore(parseObjectStoreUrl(url), { credentials, idleTimeoutMs: IDLE_TIMEOUT_MS })
}
