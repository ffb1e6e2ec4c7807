import { afterAll, afterEach } from '@jest/globals'
import { releaseLeaks } from './leaks.js'
import { collectRepeats, takeRepeats } from './repeats.js'

const stopCollecting = collectRepeats()

afterEach(() => {
  const found = takeRepeats()
  if (found.length === 0) return
  throw new Error(`a statement was run repeatedly instead of once for all rows (N+1):\n  ${found.join('\n  ')}`)
})

afterAll(async () => {
  stopCollecting()
  const leaks = await releaseLeaks()
  if (leaks.length > 0) throw new Error(`the tests of this file did not release: ${leaks.join(', ')}`)
})
