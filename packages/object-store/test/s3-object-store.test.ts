import { describe } from '@jest/globals'
import { fallbackTestS3, findTestS3, startTestS3 } from '@millrace/testing'
import { openObjectStore, parseObjectStoreUrl } from '../src/index.js'
import { describeObjectStore } from '../src/testing/index.js'

const found = findTestS3()
if (typeof found === 'string') console.warn(`NOT TESTED: the object store on an S3 server, because ${found}`)
const describeWithS3 = typeof found === 'string' ? describe.skip : describe

describeWithS3('a real S3 server', () => {
  describeObjectStore('S3', async () => {
    const server = await startTestS3(found as Exclude<typeof found, string>)
    const address = parseObjectStoreUrl(server.url)
    return {
      open: () => openObjectStore(address, { credentials: server.credentials }),
      close: () => server.stop(),
    }
  })
})

/** s3rver knows no conditions, replaces objects in place, does not list uploads, and fails some ranges and lists. */
const FAILS_ON_S3RVER = [
  'replaces an object as a whole, while readers read the old one or the new one',
  'gives exactly one of several writers the key when they put only if it is absent',
  'returns any range of an object, and nothing beyond its end',
  'lists keys in the order of their bytes, by any prefix and after any key',
  'lists more objects than one page of a server holds',
  'stores nothing when the body fails, and passes the error of the body on',
  'stores nothing when the signal ends a put, also while the body hangs',
  'rejects calls after it was closed',
]

describe('s3rver, the S3 server of machines without Go', () => {
  const start = async () => {
    const server = await startTestS3(fallbackTestS3())
    return {
      open: () => openObjectStore(parseObjectStoreUrl(server.url), { credentials: server.credentials }),
      close: () => server.stop(),
    }
  }
  describeObjectStore('S3 by s3rver', start, FAILS_ON_S3RVER)
})
