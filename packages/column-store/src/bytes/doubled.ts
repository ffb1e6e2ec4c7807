/** The same numbers in an array that is twice as long. */
export function doubled<T extends Float64Array | Uint32Array>(values: T): T {
  const larger = new (values.constructor as new (length: number) => T)(values.length * 2)
  larger.set(values)
  return larger
}
