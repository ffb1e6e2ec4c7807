export { describeObjectStore, type StoreUnderTest } from './describe-object-store.js'
export { findS3Server, type S3Server, startS3Server } from './s3-server.js'
