import { errors } from '../errors.js'

/** Half of a question that is too expensive may be affordable. */
export const WITHOUT_COMPARE = 'leave compare out'

/** @throws INVALID_COMPARE */
export function parseCompare(compare: string): boolean {
  if (compare === '' || compare === 'previous') return compare === 'previous'
  throw errors.INVALID_COMPARE({ message: `there is no comparison "${compare}": use previous` })
}

export type Fill = 'zero' | 'null' | 'none'

/** What stands in empty buckets; null when the request leaves it to the kind. @throws INVALID_FILL */
export function parseFill(fill: string): Fill | null {
  if (fill === '') return null
  if (fill === 'zero' || fill === 'null' || fill === 'none') return fill
  throw errors.INVALID_FILL({ message: `there is no way to fill "${fill}": use zero, null or none` })
}
