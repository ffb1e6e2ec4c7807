/** One event of a text/event-stream. */
export interface ServerSentEvent {
  /** Name of the event; `message` when the server sends none. */
  readonly event: string
  readonly data: string
  /** Undefined when the server sends none. */
  readonly id: string | undefined
}

/**
 * Reads the events of a text/event-stream. EventSource cannot be used because it does not send an Authorization header. Calls `onActivity` for
 * everything that arrives, comments included.
 */
export async function* readServerSentEvents(
  body: ReadableStream<Uint8Array>,
  onActivity: () => void,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  let event = ''
  let data: string[] = []
  let id: string | undefined
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      onActivity()
      rest += decoder.decode(value, { stream: true })
      // A carriage return at the end may be the first half of CRLF.
      const lines = rest.split(/\r\n|\n|\r(?!$)/)
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { event: event === '' ? 'message' : event, data: data.join('\n'), id }
          event = ''
          data = []
          id = undefined
        } else if (line.startsWith('data:')) data.push(fieldOf(line, 5))
        else if (line.startsWith('event:')) event = fieldOf(line, 6)
        else if (line.startsWith('id:')) id = fieldOf(line, 3)
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

function fieldOf(line: string, from: number): string {
  return line.slice(line[from] === ' ' ? from + 1 : from)
}
