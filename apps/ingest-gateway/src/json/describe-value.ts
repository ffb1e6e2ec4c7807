/** What kind of JSON value begins at `at`, in words for a message: "an object", "a list", "a boolean". */
export function describeValue(bytes: Uint8Array, at: number): string {
  const first = bytes[at]
  if (first === 0x7b) return 'an object'
  if (first === 0x5b) return 'a list'
  if (first === 0x22) return bytes[at + 1] === 0x22 ? 'an empty string' : 'a string'
  if (first === 0x74 || first === 0x66) return 'a boolean'
  return first === 0x6e ? 'null' : 'a number'
}
