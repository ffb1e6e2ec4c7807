/** The number that begins at `at`, or NaN when another value does. */
export function readNumber(bytes: Buffer, at: number): number {
  let p = bytes[at] === 0x2d ? at + 1 : at
  const first = p
  let mantissa = 0
  let scale = 0
  let point = -1
  for (let c = bytes[p] as number; (c >= 0x30 && c <= 0x39) || c === 0x2e; c = bytes[++p] as number) {
    if (c === 0x2e) point = p
    else mantissa = mantissa * 10 + c - 0x30
  }
  if (p === first) return Number.NaN
  if (point >= 0) scale = p - point - 1
  // Up to 15 digits and a power of ten up to 22 are exact doubles, so one division rounds correctly (Clinger 1990).
  if (p - first > 16 || ((bytes[p] as number) | 0x20) === 0x65) return readLongNumber(bytes, at, p)
  const value = scale === 0 ? mantissa : mantissa / (POWERS[scale] as number)
  return first === at ? value : -value
}

const POWERS = Array.from({ length: 17 }, (_, exponent) => 10 ** exponent)

function readLongNumber(bytes: Buffer, start: number, at: number): number {
  let p = at
  while (/[0-9eE+.-]/.test(String.fromCharCode(bytes[p] as number))) p++
  return Number(bytes.toString('latin1', start, p))
}
