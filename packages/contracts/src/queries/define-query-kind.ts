import type { z } from 'zod'

/** A request over the sample events and what it is answered with; the OpenAPI document shows it and a test runs it. */
interface Example<Request extends z.ZodObject, Point extends z.ZodObject, Summary extends z.ZodObject> {
  readonly query: z.input<Request>
  readonly data: readonly z.output<Point>[]
  readonly summary?: z.output<Summary>
}

/** The contract of one kind of query. Request validation, types, OpenAPI and the client are derived from it. */
export interface QueryKindContract<
  Request extends z.ZodObject,
  Point extends z.ZodObject,
  Summary extends z.ZodObject,
> {
  /** One line without a full stop. */
  readonly title: string
  /** What the title does not say: order of the points, accuracy, limits of a page. */
  readonly description: string
  readonly request: Request
  /** One item of `data`. */
  readonly point: Point
  /** What the answer says about the whole range; absent for kinds that say nothing. */
  readonly summary?: Summary
  readonly example: Example<Request, Point, Summary>
}

/**
 * Describes one kind of query: its request, its points and summary, and an example that the tests run. Types, OpenAPI
 * and client types follow from it.
 */
export function defineQueryKind<
  Request extends z.ZodObject,
  Point extends z.ZodObject,
  Summary extends z.ZodObject = never,
>(contract: QueryKindContract<Request, Point, Summary>): QueryKindContract<Request, Point, Summary> {
  return contract
}
