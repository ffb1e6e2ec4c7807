import type { SpoolCodec } from '../src/spool-codec.js'

export interface TextRecord {
  readonly key: number
  readonly text: string
}

/** One byte of key, then the text. */
export const textCodec: SpoolCodec<TextRecord> = {
  encode: ({ key, text }) => [Buffer.from([key]), Buffer.from(text)],
  decode: (bytes) => ({ key: bytes.readUInt8(0), text: bytes.toString('utf8', 1) }),
  keyOf: ({ key }) => key,
}
