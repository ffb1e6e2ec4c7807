import { defineErrors } from '@millrace/contracts'

/** After one of the first six errors from a producer, the caller may send the same records again later. */
export const streamErrors = defineErrors({
  STREAM_UNAVAILABLE: ['unavailable', 'the stream cannot be reached'],
  STREAM_SPOOL_FULL: ['unavailable', 'the stream cannot be reached and the spool has no room'],
  STREAM_DISK_FULL: ['unavailable', 'the disk of the stream is full'],
  STREAM_FULL: ['exhausted', 'the stream is close to its memory ceiling'],
  STREAM_OVERLOADED: ['exhausted', 'too many bytes wait for the stream to acknowledge them'],
  STREAM_CLOSED: ['unavailable', 'the producer is closing'],
  FRAME_CORRUPT: ['internal', 'the bytes are not a valid frame'],
  STREAM_CONFIG: ['invalid', 'the settings of the stream are not valid'],
  STREAM_STALLED: ['unavailable', 'the stream has frames that are not being read'],
  LEASE_LOST: ['conflict', 'another member has taken over a partition'],
})
