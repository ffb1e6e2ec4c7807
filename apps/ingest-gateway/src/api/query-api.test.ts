import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { TestApi } from '../testing/test-api.js'

let api: TestApi

beforeEach(async () => {
  api = await new TestApi().open()
})

afterEach(() => api.close())

const forTenant = expect.objectContaining({ tenant: '7', caller: 'k1' })

describe('a query', () => {
  const request = {
    kind: 'top',
    event: 'A',
    metric: { agg: 'sum', property: 'properties.v' },
    from: new Date(0),
    fromIsLocal: true,
    to: undefined,
    interval: '',
    timezone: 'Europe/Berlin',
    filters: [],
    groupBy: ['properties.c', 'properties.d'],
    limit: 5,
    cursor: '',
    explain: false,
    steps: [],
    windowMs: 0n,
    returnEvent: '',
    periods: 0,
    compare: '',
    fill: '',
    minWatermark: undefined,
    fresh: false,
  }

  it('has the same meaning in a query string and in a body', async () => {
    await api.ask(
      'GET',
      '/api/v1/query/top?event=A&metric=sum&property=properties.v&from=1970-01-01&timezone=Europe/Berlin&group_by=properties.c,properties.d&limit=5',
      'r',
    )
    await api.ask('POST', '/api/v1/query/top', 'r', {
      event: 'A',
      metric: { agg: 'sum', property: 'properties.v' },
      from: '1970-01-01',
      timezone: 'Europe/Berlin',
      group_by: ['properties.c', 'properties.d'],
      limit: 5,
    })
    expect(api.calls).toEqual([
      ['runQuery', request, forTenant],
      ['runQuery', request, forTenant],
    ])
  })

  it('takes filters as JSON text', async () => {
    await api.ask('POST', '/api/v1/query/timeseries', 'r', {
      filters: [
        { property: 'properties.c', op: 'in', value: ['UA', 1] },
        { property: 'properties.d', op: 'exists' },
      ],
    })
    expect(api.calls[0]?.[1]).toMatchObject({
      filters: [
        { property: 'properties.c', op: 'in', valueJson: '["UA",1]' },
        { property: 'properties.d', op: 'exists', valueJson: '' },
      ],
    })
  })

  const filter = { property: 'properties.c', op: 'eq', valueJson: '"UA"' }
  it.each([
    [
      'funnel?steps=A,B&window=14d&compare=previous&min_watermark=1970-01-01&wait=5s&strict=true&fresh=true&explain=0',
      {
        steps: ['A', { event: 'B' }],
        window: 1_209_600_000,
        compare: 'previous',
        min_watermark: '1970-01-01T00:00:00Z',
        wait: 5000,
        strict: true,
        fresh: true,
        explain: false,
      },
      {
        steps: [
          { event: 'A', filters: [] },
          { event: 'B', filters: [] },
        ],
        windowMs: 1_209_600_000n,
        compare: 'previous',
        minWatermark: new Date(0),
        waitMs: 5000,
        fresh: true,
      },
    ],
    [
      `funnel?steps=${encodeURIComponent('["A",{"event":"B","filters":[{"property":"properties.c","value":"UA"}]}]')}`,
      { steps: ['A', { event: 'B', filters: [{ property: 'properties.c', op: 'eq', value: 'UA' }] }] },
      {
        steps: [
          { event: 'A', filters: [] },
          { event: 'B', filters: [filter] },
        ],
      },
    ],
    [
      'retention?event=A&return_event=R&interval=1w&periods=8',
      { event: 'A', return_event: 'R', interval: '1w', periods: 8, limit: null },
      { event: 'A', returnEvent: 'R', interval: '1w', periods: 8 },
    ],
    ['sessions?window=30m&fill=null', { window: '1800000', fill: 'null' }, { windowMs: 1_800_000n, fill: 'null' }],
    [
      'percentiles?metric=p95&property=properties.v',
      { metric: { agg: 'p95', property: 'properties.v' } },
      { metric: { agg: 'p95', property: 'properties.v' } },
    ],
    ['logins?group_by=method,os', { group_by: ['method', 'os'] }, { groupBy: ['method', 'os'] }],
    ['daily?to=1970-01-01T01:00:00%2B01:00', { to: '1970-01-01T00:00:00Z' }, { to: new Date(0), event: '' }],
  ])('has the same meaning as query string %s and as body %j', async (address, body, expected) => {
    await api.ask('GET', `/api/v1/query/${address}`, 'r')
    await api.ask('POST', `/api/v1/query/${address.replace(/\?.*/, '')}`, 'r', body)
    expect(api.calls[0]?.[1]).toMatchObject(expected)
    expect(api.calls[1]).toEqual(api.calls[0])
  })

  it('that does not reach min_watermark says is_behind, or fails when it is strict', async () => {
    api.meta = { ...api.meta, isBehind: true, waitedMs: 7 }
    const address = '/api/v1/query/uniques?min_watermark=1970-01-02'
    expect((await api.ask('GET', address, 'r')).body?.meta).toMatchObject({ is_behind: true, waited_ms: 7 })
    const answer = await fetch(`${api.origin}${address}&strict=true`, { headers: { authorization: 'Bearer r' } })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await answer.json()).toMatchObject({
      code: 'WATERMARK_NOT_REACHED',
      retryable: true,
      details: { watermark: '1970-01-01T00:00:00.001Z' },
    })
    api.meta = { ...api.meta, isBehind: false }
    expect((await api.ask('GET', `${address}&strict=true`, 'r')).status).toBe(200)
  })

  it('returns where its answer comes from in meta', async () => {
    const response = await fetch(`${api.origin}/api/v1/query/uniques`, { headers: { authorization: 'Bearer r' } })
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(await response.text()).toBe(
      '{"data":[{"value":2e0}],"summary":{"total":"é"},"next_cursor":null,"meta":{"source":"rollup","age_ms":1,"watermark":"1970-01-01T00:00:00.001Z","took_ms":2,"is_stale":true,"plan":{"p":1}}}',
    )
  })

  it.each([
    ['GET', '/api/v1/query/sums', undefined, 404, undefined],
    ['GET', '/api/v1/query/constructor', undefined, 404, undefined],
    ['POST', '/api/v1/query/top', [], 400, 'the body must be a JSON object'],
    ['GET', '/api/v1/query/timeseries?limit=0', undefined, 400, 'limit: too small: expected number to be >=1'],
    [
      'GET',
      '/api/v1/query/timeseries?limit=x',
      undefined,
      400,
      'limit: invalid input: expected number, received string',
    ],
    [
      'GET',
      '/api/v1/query/uniques?from=yesterday',
      undefined,
      400,
      'from: must be a time such as 2026-11-21T08:00:00Z',
    ],
    [
      'GET',
      '/api/v1/query/uniques?from=2026-13-01',
      undefined,
      400,
      'from: must be a time such as 2026-11-21T08:00:00Z',
    ],
    ['GET', '/api/v1/query/uniques?event=a&event=b', undefined, 400, 'the parameter event occurs more than once'],
    ['GET', '/api/v1/query/uniques?interval=2h', undefined, 400, 'interval: invalid option: expected one of "1m"|"5m"'],
    ['GET', '/api/v1/query/uniques?filters=%7B', undefined, 400, 'filters must be JSON'],
    ['GET', '/api/v1/events?filters=%7B', undefined, 400, 'filters must be JSON'],
    ['GET', '/api/v1/events?filters=%7B%7D', undefined, 400, 'filters: invalid input: expected array, received object'],
    ['GET', '/api/v1/users/u/timeline?filters=[{}]', undefined, 400, 'filters.0.property: '],
    ['POST', '/api/v1/query/uniques', { filters: {} }, 400, 'filters: invalid input: expected array, received object'],
    ['POST', '/api/v1/query/uniques', { filters: [{ op: 'eq' }] }, 400, 'a uniques query needs filters.0.property'],
    ['POST', '/api/v1/query/uniques', { filters: [{ property: 'event', is: 'A' }] }, 400, 'no field filters.0.is'],
    ['POST', '/api/v1/query/top', {}, 400, 'a top query needs group_by'],
    ['POST', '/api/v1/query/top', { group_by: [1] }, 400, 'group_by.0: invalid input: expected string'],
    [
      'POST',
      '/api/v1/query/top',
      { group_by: ['a'], steps: [] },
      400,
      'a top query has no field steps: it has event, metric',
    ],
    ['GET', '/api/v1/query/percentiles', undefined, 400, 'the parameter property is required'],
    ['POST', '/api/v1/query/percentiles', {}, 400, 'a percentiles query needs metric'],
    ['GET', '/api/v1/query/uniques?event=a%00b', undefined, 400, 'event: it has the character NUL at position 1'],
    [
      'POST',
      '/api/v1/query/uniques',
      { event: 'ab\ud800' },
      400,
      'event: it has half of a surrogate pair at position 2',
    ],
    [
      'POST',
      '/api/v1/query/top',
      { group_by: ['properties.\udc00'] },
      400,
      'group_by.0: it has half of a surrogate pair',
    ],
    ['POST', '/api/v1/query/retention', { return_event: '\ud83d' }, 400, 'return_event: it has half of a surrogate'],
    ['POST', '/api/v1/query/uniques', { cursor: 'x\0' }, 400, 'cursor: it has the character NUL at position 1'],
    ['GET', '/api/v1/events?user_id=u%00', undefined, 400, 'user_id: it has the character NUL at position 1'],
    ['GET', '/api/v1/events?cursor=%00', undefined, 400, 'cursor: it has the character NUL at position 0'],
    ['GET', '/api/v1/users/a%00/timeline', undefined, 400, 'id: it has the character NUL at position 1'],
    ['GET', '/api/v1/query/funnel?steps=A', undefined, 400, 'steps: too small: expected array to have >=2 items'],
    ['POST', '/api/v1/query/funnel', { steps: ['A', 1] }, 400, 'steps.1: must be the name of an event, or an object'],
    ['GET', '/api/v1/query/uniques?from=2026-02-30T00:00:00Z', undefined, 400, 'from: must be a time'],
    ['GET', '/api/v1/query/uniques?__proto__=1', undefined, 400, 'unknown parameter __proto__'],
    ['GET', '/api/v1/query/uniques?toString=1', undefined, 400, 'unknown parameter toString'],
    ['POST', '/api/v1/query/uniques', JSON.parse('{"__proto__":1}'), 400, 'a uniques query has no field __proto__'],
    ['GET', '/api/v1/query/sessions?window=0', undefined, 400, 'window: must be milliseconds'],
    ['POST', '/api/v1/query/sessions', { window: '00s' }, 400, 'window: must be milliseconds'],
    ['GET', '/api/v1/events?from=2026-02-30', undefined, 400, 'from must be a time'],
    [
      'GET',
      '/api/v1/events?userId=u',
      undefined,
      400,
      'the parameters are event, user_id, message_id, filters, from, to, limit, cursor; did you mean user_id?',
    ],
    ['GET', '/api/v1/users/u/timeline?user_id=v', undefined, 400, 'unknown parameter user_id'],
    ['GET', '/api/v1/users/u/sessions?user_id=v', undefined, 400, 'unknown parameter user_id'],
    ['GET', '/api/v1/sessions?active=1', undefined, 400, 'active must be true or false'],
    ['GET', '/api/v1/sessions?ip=10.0.0.1', undefined, 400, 'unknown parameter ip; the parameters are user_id, active'],
    [
      'GET',
      '/api/v1/activities?entity=e',
      undefined,
      400,
      'unknown parameter entity; the parameters are user_id, action',
    ],
    ['GET', '/api/v1/activities?limit=1001', undefined, 400, 'limit must be a whole number from 1 to 1000'],
    ['GET', '/api/v1/query/sessions?window=soon', undefined, 400, 'window: must be milliseconds or a duration'],
    ['POST', '/api/v1/query/daily', { interval: '1d' }, 400, 'a daily query has no field interval'],
  ])('is refused with a message about what is wrong: %s %s %j', async (method, path, body, status, detail) => {
    const answer = await api.ask(method, path, 'r', body)
    expect([answer.status, answer.body?.code, api.calls.length]).toEqual([
      status,
      status === 404 ? 'ROUTE_NOT_FOUND' : 'INVALID_REQUEST',
      0,
    ])
    if (detail !== undefined) expect(answer.body?.detail).toContain(detail)
  })
})
