import { describe, expect, it } from '@jest/globals'
import { tenantOf } from './tenant-of.js'

describe('the tenant of a gRPC call', () => {
  it('is the integer in the metadata', () => {
    expect(['1', '2147483647'].map((tenant) => tenantOf({ tenant }))).toEqual([1, 2_147_483_647])
  })

  it.each([undefined, '', '*', '0', '-1', '1.5', '2147483648', 'NaN'])(
    'is missing when the metadata holds %p',
    (tenant) => {
      expect(() => tenantOf({ tenant })).toThrow(expect.objectContaining({ code: 'TENANT_MISSING' }))
    },
  )
})
