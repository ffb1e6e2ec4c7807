import { describe, it } from '@jest/globals'
import { openObjectStore, parseObjectStoreUrl } from '../src/index.js'
import { describeObjectStore, findS3Server, startS3Server } from '../src/testing/index.js'

const found = findS3Server()
if (typeof found === 'string') {
  console.warn(`NOT TESTED: the object store on an S3 server, because ${found}`)
  describe('the object store (S3)', () => it.skip('is tested on a real server', () => undefined))
} else {
  describeObjectStore('S3', async () => {
    const server = await startS3Server(found.command)
    const address = parseObjectStoreUrl(server.url)
    return {
      open: () => openObjectStore(address, { credentials: server.credentials }),
      close: () => server.stop(),
    }
  })
}
