import type { SpoolCodec } from '../src/spool-codec.js'

export interface TextRecord {
  readonly key: number
  readonly text: string
}

/** One byte of key, then the text. */
export const textCodec: SpoolCodec<TextRecord> = {
  encode: ({ key, text }) => [Buffer.from([key]), Buffer.from(text)],
  // Accepts any bytes, also none, so that only the spool itself can reject damaged records.
  decode: (bytes) => ({ key: bytes[0] ?? 0, text: bytes.toString('utf8', 1) }),
  keyOf: ({ key }) => key,
}
