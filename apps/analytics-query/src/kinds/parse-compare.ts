import { errors } from '../errors.js'

/** Hint for comparisons that exceed the budget: the range alone costs about half. */
export const WITHOUT_COMPARE = 'leave compare out'

/** @throws INVALID_COMPARE */
export function parseCompare(compare: string): boolean {
  if (compare === '' || compare === 'previous') return compare === 'previous'
  throw errors.INVALID_COMPARE({ message: `compare cannot be "${compare}": use previous` })
}

export type Fill = 'zero' | 'null' | 'none'

/** The value of empty buckets; null for the default of the kind. @throws INVALID_FILL */
export function parseFill(fill: string): Fill | null {
  if (fill === '') return null
  if (fill === 'zero' || fill === 'null' || fill === 'none') return fill
  throw errors.INVALID_FILL({ message: `fill cannot be "${fill}": use zero, null or none` })
}
