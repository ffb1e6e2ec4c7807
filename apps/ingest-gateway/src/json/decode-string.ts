/** The text of a JSON string whose quotes are at `start` and `end - 1`. */
export function decodeString(bytes: Buffer, start: number, end: number): string {
  return JSON.parse(bytes.toString('utf8', start, end)) as string
}
