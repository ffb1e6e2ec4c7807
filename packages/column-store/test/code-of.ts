import { columnStoreErrors } from '../src/index.js'

/** The code of the error of this package that an action throws; 'none' when it throws nothing. */
export function codeOf(action: () => unknown): string {
  try {
    action()
    return 'none'
  } catch (error) {
    const found = Object.values(columnStoreErrors).find((factory) => factory.matches(error))
    if (found === undefined) throw error
    return found.code
  }
}
