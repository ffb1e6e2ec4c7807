import { scaleDeadline } from './wait-for.js'

/**
 * The result of work that must not wait for a dependency that does not answer. Choose `limitMs` far above the deadline of the work itself and far below
 * the time limit that it must not run into; it is scaled by the load of the machine. @throws when the work has not ended by then
 */
export async function within<T>(limitMs: number, work: T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const scaledMs = scaleDeadline(limitMs)
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not finished within ${scaledMs} ms`)), scaledMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
