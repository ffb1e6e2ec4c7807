import { readFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { createQueryTypes } from '@millrace/contracts/http'

describe('the generated query types of the client', () => {
  it('are what packages/client/scripts/generate.mjs makes from the contracts: run it after a build when this fails', () => {
    const [header, , ...lines] = readFileSync(new URL('../src/gen/query-types.ts', import.meta.url), 'utf8').split('\n')
    expect(header).toContain('scripts/generate.mjs')
    expect(lines.join('\n')).toBe(createQueryTypes())
  })
})
