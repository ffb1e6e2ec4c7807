/** A copy of an object without one of its fields. */
export function without<T extends object, Key extends keyof T>(fields: T, name: Key): Omit<T, Key> {
  return Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name)) as Omit<T, Key>
}
