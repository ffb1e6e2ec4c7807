/** Writes the few MessagePack values that sources answer with. */

/** Encodes a string. A Buffer is taken as the bytes of the string, also when they are not valid UTF-8. */
export function packText(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text)
  const { length } = bytes
  if (length < 32) return Buffer.concat([Buffer.from([0xa0 | length]), bytes])
  if (length < 256) return Buffer.concat([Buffer.from([0xd9, length]), bytes])
  const head = Buffer.from([0xdb, 0, 0, 0, 0])
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, bytes])
}

/** At most 255 bytes that are no text; clients decode a text and would change them. */
export function packBinary(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0xc4, bytes.length]), bytes])
}

export function packBoolean(value: boolean): Buffer {
  return Buffer.from([value ? 0xc3 : 0xc2])
}

/** An array of at most 15 values that are packed already. */
export function packArray(...values: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([0x90 | values.length]), ...values])
}

/** A map of at most 15 members whose values are packed already. */
export function packMap(members: Readonly<Record<string, Buffer>>): Buffer {
  const entries = Object.entries(members)
  return Buffer.concat([
    Buffer.from([0x80 | entries.length]),
    ...entries.flatMap(([name, value]) => [packText(name), value]),
  ])
}
