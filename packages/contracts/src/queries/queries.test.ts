import { describe, expect, it } from '@jest/globals'
import type { z } from 'zod'
import { queryExamples } from '../http/openapi-samples.js'
import type { answerSchemas } from './answer-schemas.js'
import type { QueryKindName, QueryKinds } from './query-kinds.js'
import { querySchemas } from './query-schemas.js'

type Immutable<T> = T extends object ? { readonly [K in keyof T]: Immutable<T[K]> } : T
type Names<T> = { [K in keyof T]-?: keyof T[K] }
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

type Typed = { [K in QueryKindName]: QueryKinds[K]['query'] }
type Validated = { [K in QueryKindName]: Immutable<z.input<(typeof querySchemas)[K]>> }
type Answered = { [K in QueryKindName]: QueryKinds[K]['answer'] }
type Documented = { [K in QueryKindName]: Immutable<z.output<(typeof answerSchemas)[K]>> }

/** Compiles only if what it says is so; the type check of the tests is what runs it. */
const isTrue = <_ extends true>(): void => {}

describe('the types of queries', () => {
  it('are those that requests are validated with and that the document shows', () => {
    isTrue<Typed extends Validated ? true : false>()
    isTrue<Documented extends Answered ? true : false>()
    isTrue<Answered extends Documented ? true : false>()
    /** Accepted, and of no effect. */
    type Tolerated = { top: 'interval'; breakdown: 'interval'; uniques: 'metric' }
    type Meant = {
      [K in QueryKindName]: Exclude<Names<Validated>[K], K extends keyof Tolerated ? Tolerated[K] : never>
    }
    isTrue<Equal<Names<Typed>, Meant>>()
    expect(Object.keys(querySchemas).sort()).toEqual(Object.keys(queryExamples).sort())
  })
})
