import type { AdmissionControl, Cost } from '../admission/admission-control.js'
import type { ReadScope } from './read-scope.js'

type Reading<Part> = (scope: ReadScope) => Promise<Part>
type Readings<Parts extends readonly unknown[]> = { readonly [Index in keyof Parts]: Reading<Parts[Index]> }

/**
 * Plans every reading, sums their costs, asks admission control once, then runs all or none of them, one after the
 * other. A reading is planned when it asks for admission: its promise is suspended there until all others have asked as
 * well. `remedy` is a hint how to ask for the first reading alone.
 * @throws QUERY_TOO_EXPENSIVE, and what the readings throw
 */
export async function readAllOrNone<Parts extends readonly unknown[]>(
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
  const { admission } = scope
  const parts: Part[] = []
  if (admission === undefined) {
    for (const reading of readings) parts.push(await reading(scope))
    return parts
  }
  const costs: Cost[] = []
  const planned: PlannedPart<Part>[] = []
  try {
    for (const reading of readings)
      planned.push(
        await plan(reading, { scope, admission, count: readings.length, onCost: (cost) => costs.push(cost) }),
      )
    admission.admitAll(costs, remedy)
    for (const part of planned) parts.push(await part.read())
    return parts
  } catch (error) {
    for (const part of planned) part.giveUp(error)
    throw error
  }
}

/**
 * A reading that is suspended at its admission, or has finished already because there are no statistics to estimate its
 * cost.
 */
interface PlannedPart<Part> {
  read(): Promise<Part>
  giveUp(reason: unknown): void
}

interface Planning {
  readonly scope: ReadScope
  readonly admission: AdmissionControl
  /** Number of readings. */
  readonly count: number
  readonly onCost: (cost: Cost) => void
}

function plan<Part>(reading: Reading<Part>, { scope, admission, count, onCost }: Planning): Promise<PlannedPart<Part>> {
  return new Promise((resolve, reject) => {
    const own = admission.forPart(
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
    const result = reading({ ...scope, admission: own })
    result.then(() => resolve({ read: () => result, giveUp: () => undefined }), reject)
  })
}
