import { status as grpcStatus, Metadata } from '@grpc/grpc-js'
import { describe, expect, it } from '@jest/globals'
import { coreErrors, defineErrors } from '@millrace/contracts'
import { PeerHealth } from './peer-health.js'
import { fromStatus, toStatus } from './status-mapping.js'

const errors = defineErrors({
  TABLE_GONE: ['unavailable', 'the database cannot be reached'],
  BROKEN: ['internal', 'broken'],
})
/** As the client gets it: of the transport, or with a code that the peer sent. */
const ofTransport = (code: grpcStatus) =>
  fromStatus(Object.assign(new Error('x'), { code, details: 'x', metadata: new Metadata() }), 'peer')
const ofPeer = (error: Error) => fromStatus(Object.assign(new Error('x'), toStatus(error)), 'peer')

describe('whether a failed call counts as a failure of the peer', () => {
  it.each([
    ['nobody was there', ofTransport(grpcStatus.UNAVAILABLE), true],
    ['nobody answered in time', ofTransport(grpcStatus.DEADLINE_EXCEEDED), true],
    ['the peer is shutting down', ofPeer(coreErrors.SHUTTING_DOWN()), true],
    ['the peer failed inside', ofPeer(errors.BROKEN()), false],
    ['the peer threw what it does not know', ofPeer(new TypeError('x')), false],
    ['the peer could not read the request', ofTransport(grpcStatus.INTERNAL), false],
    ['the answer was too large', ofTransport(grpcStatus.RESOURCE_EXHAUSTED), false],
    ['a dependency of the peer is away', ofPeer(errors.TABLE_GONE()), false],
    ['the peer itself saw the deadline pass', ofPeer(coreErrors.DEADLINE_EXCEEDED()), false],
    ['the caller gave up', ofTransport(grpcStatus.CANCELLED), false],
    ['the caller gave up before the call', new DOMException('x', 'AbortError'), false],
    ['the call could not even be made', new TypeError('x'), false],
  ])('%s: %s', (_, error, isIll) => {
    expect(new PeerHealth().isFailure(error)).toBe(isIll)
  })

  it('a deadline counts only if the peer answered no other call meanwhile', () => {
    let nowMs = 0
    const health = new PeerHealth({ now: () => nowMs++ })
    const late = () => ofTransport(grpcStatus.DEADLINE_EXCEEDED)
    const isCounted = (end: (error: ReturnType<typeof late>) => void) => {
      const error = late()
      end(error)
      return health.isFailure(error)
    }
    const slow = health.begin()
    const other = health.begin()
    other(ofPeer(errors.BROKEN()))
    expect(isCounted(slow)).toBe(false)
    const alone = health.begin()
    expect(isCounted(alone)).toBe(true)
    const both = [health.begin(), health.begin()]
    expect(both.map(isCounted)).toEqual([true, true])
    const [answered, unanswered] = [health.begin(), health.begin()]
    answered()
    expect(isCounted(unanswered)).toBe(false)
  })
})
