/** What carries the stream of a stack. */
export const STREAM_KINDS = ['redis', 'kafka'] as const
export type StreamKind = (typeof STREAM_KINDS)[number]

/** The value of an option `--stream`. @throws when it is neither "redis" nor "kafka" */
export function parseStreamKind(text: string): StreamKind {
  const kind = STREAM_KINDS.find((name) => name === text)
  if (kind === undefined) throw new Error(`--stream must be one of ${STREAM_KINDS.join(', ')}, not ${text}`)
  return kind
}
