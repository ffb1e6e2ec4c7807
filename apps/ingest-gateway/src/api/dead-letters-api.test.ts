import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { TestApi } from '../testing/test-api.js'

let api: TestApi

beforeEach(async () => {
  api = await new TestApi().open()
})

afterEach(() => api.close())

describe('dead letters', () => {
  it('can be listed, replayed and discarded', async () => {
    expect((await api.ask('GET', '/api/v1/dead-letters?limit=1', 'r')).body).toMatchObject({
      data: [{ id: '5', message_id: 'm', record: { event: 'A' } }],
      next_cursor: '4',
    })
    expect((await api.ask('POST', '/api/v1/dead-letters/5/replay')).body).toMatchObject({ state: 'replaying' })
    expect((await api.ask('DELETE', '/api/v1/dead-letters/5')).body).toMatchObject({ state: 'discarded' })
    expect(api.calls.map(([name]) => name)).toEqual(['listDeadLetters', 'replayDeadLetter', 'discardDeadLetter'])
  })
})
