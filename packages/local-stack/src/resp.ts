import { connect } from 'node:net'

export type Reply = string | number | null | Reply[]

/**
 * Sends one command to the Redis server on 127.0.0.1:`server`, or on the Unix socket `server`, over a connection of its own and returns the reply (RESP2).
 * For set-up and probes only; services use `@millrace/redis`.
 * @throws the server's error text, or after `timeoutMs`.
 */
export function redisCommand(server: number | string, args: (string | number)[], timeoutMs = 2000): Promise<Reply> {
  const request = [`*${args.length}`, ...args.flatMap((arg) => [`$${Buffer.byteLength(String(arg))}`, String(arg)])]
  return new Promise((resolve, reject) => {
    let received = ''
    const to = typeof server === 'string' ? { path: server } : { port: server, host: '127.0.0.1' }
    const socket = connect(to, () => socket.write(`${request.join('\r\n')}\r\n`))
    const finish = (settle: () => void) => {
      socket.destroy()
      settle()
    }
    socket.setEncoding('latin1')
    socket.setTimeout(timeoutMs, () =>
      finish(() => reject(new Error(`redis on ${server} did not answer within ${timeoutMs} ms`))),
    )
    socket.once('error', (error) => finish(() => reject(error)))
    socket.once('close', () => reject(new Error(`redis on ${server} closed the connection`)))
    socket.on('data', (chunk) => {
      received += chunk
      const parsed = parse(received, 0)
      if (!parsed) return
      if (parsed.error) finish(() => reject(new Error(String(parsed.value))))
      else finish(() => resolve(parsed.value))
    })
  })
}

/** Undefined while the text is incomplete. */
function parse(text: string, at: number): { value: Reply; next: number; error?: boolean } | undefined {
  const end = text.indexOf('\r\n', at)
  if (end < 0) return undefined
  const head = text.slice(at + 1, end)
  const next = end + 2
  switch (text[at]) {
    case ':':
      return { value: Number(head), next }
    case '$': {
      const length = Number(head)
      if (length < 0) return { value: null, next }
      return text.length < next + length + 2
        ? undefined
        : { value: text.slice(next, next + length), next: next + length + 2 }
    }
    case '*':
      return parseArray(text, Number(head), next)
    default:
      return { value: head, next, error: text[at] === '-' }
  }
}

function parseArray(text: string, length: number, start: number): { value: Reply; next: number } | undefined {
  if (length < 0) return { value: null, next: start }
  const items: Reply[] = []
  let next = start
  for (let index = 0; index < length; index++) {
    const item = parse(text, next)
    if (!item) return undefined
    items.push(item.value)
    next = item.next
  }
  return { value: items, next }
}
