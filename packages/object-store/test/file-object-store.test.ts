import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openObjectStore, parseObjectStoreUrl } from '../src/index.js'
import { describeObjectStore } from '../src/testing/index.js'

describeObjectStore('file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-objects-'))
  return Promise.resolve({
    open: () => openObjectStore(parseObjectStoreUrl(`file:${directory}`)),
    close: () => Promise.resolve(rmSync(directory, { recursive: true })),
  })
})
