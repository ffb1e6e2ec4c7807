const [QUOTE, MINUS, POINT, ZERO, NINE, BACKSLASH, LOWER_E, LOWER_F, LOWER_T] = [
  0x22, 0x2d, 0x2e, 0x30, 0x39, 0x5c, 0x65, 0x66, 0x74,
]

/** The number of the JSON value that begins at `at`, NaN when that value is no number. The bytes must be valid JSON. */
export function readNumber(bytes: Buffer, at: number): number {
  let p = bytes[at] === MINUS ? at + 1 : at
  const first = p
  let mantissa = 0
  let scale = 0
  let point = -1
  for (let c = bytes[p] as number; (c >= ZERO && c <= NINE) || c === POINT; c = bytes[++p] as number) {
    if (c === POINT) point = p
    else mantissa = mantissa * 10 + c - ZERO
  }
  if (p === first) return Number.NaN
  if (point >= 0) scale = p - point - 1
  // Up to 15 digits and a power of ten up to 22 are exact doubles, so one division rounds correctly (Clinger 1990).
  if (p - first > 16 || ((bytes[p] as number) | 0x20) === LOWER_E) return readLongNumber(bytes, at, p)
  const value = scale === 0 ? mantissa : mantissa / (POWERS[scale] as number)
  return first === at ? value : -value
}

const POWERS = Array.from({ length: 17 }, (_, exponent) => 10 ** exponent)

function readLongNumber(bytes: Buffer, start: number, at: number): number {
  let p = at
  while (/[0-9eE+.-]/.test(String.fromCharCode(bytes[p] as number))) p++
  return Number(bytes.toString('latin1', start, p))
}

/** `textOf` the JSON value that begins at `at`, without parsing objects and lists. The bytes must be valid JSON. */
export function readText(bytes: Buffer, at: number): string | null {
  const c = bytes[at] as number
  if (c === QUOTE) return JSON.parse(bytes.toString('utf8', at, endOfString(bytes, at))) as string
  if (c === LOWER_T) return 'true'
  if (c === LOWER_F) return 'false'
  const value = readNumber(bytes, at)
  return Number.isNaN(value) ? null : String(value)
}

function endOfString(bytes: Buffer, at: number): number {
  let p = at + 1
  while (bytes[p] !== QUOTE) p += bytes[p] === BACKSLASH ? 2 : 1
  return p + 1
}
