import { describe } from '@jest/globals'
import { findTestS3, startTestS3 } from '@millrace/testing'
import { openObjectStore, parseObjectStoreUrl } from '../src/index.js'
import { describeObjectStore } from '../src/testing/index.js'

const found = findTestS3()
if (typeof found === 'string') console.warn(`NOT TESTED: the object store on an S3 server, because ${found}`)
const describeWithS3 = typeof found === 'string' ? describe.skip : describe

describeWithS3('a real S3 server', () => {
  describeObjectStore('S3', async () => {
    const server = await startTestS3((found as { command: string }).command)
    const address = parseObjectStoreUrl(server.url)
    return {
      open: () => openObjectStore(address, { credentials: server.credentials }),
      close: () => server.stop(),
    }
  })
})
