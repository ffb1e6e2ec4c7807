export interface Bounds {
  readonly least: number
  readonly most: number
  /** An answer without a value there is right too. */
  readonly mayMiss?: boolean
}

export interface KeyBounds extends Bounds {
  readonly key: string
}

interface Row {
  readonly timeMs: number
}

export function uniquesBounds(others: number, must: readonly string[], may: readonly string[]): Bounds
export function quantileBounds(sorted: ArrayLike<number>, may: readonly number[], q: number): Bounds | undefined
export function stepsReached(
  events: readonly (Row & { readonly step: number })[],
  options: { readonly windowMs: number; readonly areTiesOrdered: boolean },
): number
export function funnelBounds(
  must: readonly (Row & { readonly step: number })[],
  may: readonly (Row & { readonly step: number })[],
  options: { readonly windowMs: number },
): KeyBounds[]
export function retentionBounds(
  must: readonly Row[],
  may: readonly Row[],
  options: { readonly periodOf: (timeMs: number) => number },
): KeyBounds[]
export function sessionBounds(
  must: readonly Row[],
  may: readonly Row[],
  options: { readonly fromMs: number; readonly gapMs: number },
): KeyBounds[]
