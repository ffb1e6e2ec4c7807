/**
 * How many random inputs a property test tries: `runs`, or as many times more as the environment variable PROPERTY_RUNS_FACTOR says (default 1).
 */
export function propertyRuns(runs: number): number {
  return Math.round(runs * (Number(process.env.PROPERTY_RUNS_FACTOR) || 1))
}
