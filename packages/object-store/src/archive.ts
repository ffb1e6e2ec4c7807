import { resolve } from 'node:path'
import type { ObjectStore } from './object-store.js'
import { openObjectStore } from './open-object-store.js'
import { type ObjectStoreAddress, parseObjectStoreUrl } from './parse-object-store-url.js'

/** A value of the configuration that is not printed by accident. */
interface SecretValue {
  reveal(): string
}

/** The settings that say where the archive is; `archiveSettings` in `@millrace/service` reads them. */
export interface ArchiveSettings {
  readonly ARCHIVE_URL?: string | undefined
  /** Without it and the next one the AWS SDK looks for keys in its usual places. */
  readonly ARCHIVE_S3_ACCESS_KEY_ID?: SecretValue | undefined
  readonly ARCHIVE_S3_SECRET_ACCESS_KEY?: SecretValue | undefined
  readonly MILLRACE_DATA_DIR: string
}

/** Opens the object store of the archive. */
export async function openArchive(settings: ArchiveSettings): Promise<ObjectStore> {
  const { ARCHIVE_S3_ACCESS_KEY_ID: id, ARCHIVE_S3_SECRET_ACCESS_KEY: secret } = settings
  const credentials =
    id === undefined || secret === undefined
      ? undefined
      : { accessKeyId: id.reveal(), secretAccessKey: secret.reveal() }
  return await openObjectStore(archiveAddress(settings), { credentials })
}

/** ARCHIVE_URL, or the folder `archive` below MILLRACE_DATA_DIR. */
export function archiveAddress({ ARCHIVE_URL: url, MILLRACE_DATA_DIR: dataDir }: ArchiveSettings): ObjectStoreAddress {
  return url === undefined ? { driver: 'file', directory: resolve(dataDir, 'archive') } : parseObjectStoreUrl(url)
}
