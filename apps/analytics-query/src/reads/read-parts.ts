import type { Cost, CostGuard } from '../admission/cost-guard.js'
import type { ReadScope } from './read-scope.js'

type Reading<Part> = (scope: ReadScope) => Promise<Part>
type Readings<Parts extends readonly unknown[]> = { readonly [Index in keyof Parts]: Reading<Parts[Index]> }

/**
 * The readings of one question, one after the other in one scope. Each stops where it asks the guard, and none goes on before all are planned and their
 * costs are judged as one: what is over the budget as a whole is not begun. `remedy` is a way to ask for the first alone.
 * @throws QUERY_TOO_EXPENSIVE, and what the readings throw
 */
export async function readParts<Parts extends readonly unknown[]>(
  scope: ReadScope,
  readings: Readings<Parts>,
  remedy?: string,
): Promise<Parts> {
  return (await readAll<Parts[number]>(scope, readings, remedy)) as unknown as Parts
}

async function readAll<Part>(
  scope: ReadScope,
  readings: readonly Reading<Part>[],
  remedy: string | undefined,
): Promise<Part[]> {
  const { guard } = scope
  const parts: Part[] = []
  if (guard === undefined) {
    for (const reading of readings) parts.push(await reading(scope))
    return parts
  }
  const costs: Cost[] = []
  const planned: PlannedPart<Part>[] = []
  try {
    for (const reading of readings)
      planned.push(await plan(reading, { scope, guard, count: readings.length, onCost: (cost) => costs.push(cost) }))
    guard.judge(costs, remedy)
    for (const part of planned) parts.push(await part.read())
    return parts
  } catch (error) {
    for (const part of planned) part.giveUp(error)
    throw error
  }
}

/** A reading that waits for the guard, or has read already because there is nothing to judge it by. */
interface PlannedPart<Part> {
  read(): Promise<Part>
  giveUp(reason: unknown): void
}

interface Planning {
  readonly scope: ReadScope
  readonly guard: CostGuard
  /** Readings of the question. */
  readonly count: number
  readonly onCost: (cost: Cost) => void
}

function plan<Part>(reading: Reading<Part>, { scope, guard, count, onCost }: Planning): Promise<PlannedPart<Part>> {
  return new Promise((resolve, reject) => {
    const own = guard.ofPart(
      count,
      (cost) =>
        new Promise<void>((goOn, giveUp) => {
          onCost(cost)
          resolve({
            read: () => {
              goOn()
              return result
            },
            giveUp,
          })
        }),
    )
    const result = reading({ ...scope, guard: own })
    result.then(() => resolve({ read: () => result, giveUp: () => undefined }), reject)
  })
}
