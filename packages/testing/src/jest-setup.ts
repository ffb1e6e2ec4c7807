import { afterAll } from '@jest/globals'
import { releaseLeaks } from './leaks.js'

afterAll(async () => {
  const leaks = await releaseLeaks()
  if (leaks.length > 0) throw new Error(`the tests of this file did not release: ${leaks.join(', ')}`)
})
