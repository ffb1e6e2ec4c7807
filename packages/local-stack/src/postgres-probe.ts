import { connect } from 'node:net'

/**
 * Whether a PostgreSQL server on 127.0.0.1:`port` accepts sessions: it sends a start-up message and looks at the first
 * byte of the answer (protocol 3.0). "R" asks for or confirms authentication; "E" is an error such as "starting up".
 */
export function answersPostgres(port: number, timeoutMs = 1000): Promise<boolean> {
  const parameters = Buffer.from('user\0postgres\0database\0postgres\0\0')
  const startup = Buffer.alloc(8 + parameters.length)
  startup.writeInt32BE(startup.length, 0)
  startup.writeInt32BE(196_608, 4)
  parameters.copy(startup, 8)
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(startup))
    const finish = (isReady: boolean) => {
      socket.destroy()
      resolve(isReady)
    }
    socket.setTimeout(timeoutMs, () => finish(false))
    socket.once('data', (answer) => finish(answer[0] === 0x52))
    socket.once('error', () => finish(false))
    socket.once('close', () => finish(false))
  })
}
