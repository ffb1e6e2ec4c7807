export { type ArchiveSettings, openArchive } from './archive.js'
export type { S3Credentials, S3Options } from './drivers/s3/s3-client.js'
export type {
  GetOptions,
  ListOptions,
  ObjectBody,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoredObject,
} from './object-store.js'
export { objectStoreErrors } from './object-store-errors.js'
export { openObjectStore } from './open-object-store.js'
export { type ObjectStoreAddress, parseObjectStoreUrl } from './parse-object-store-url.js'
