import type { SpoolCodec } from '@millrace/spool'
import type { FrameToAppend } from '../driver/stream-driver.js'

/** A frame in the spool: u16 partition, little-endian, and the frame. Frames are counted by partition. */
export const frameCodec: SpoolCodec<FrameToAppend> = {
  encode({ partition, frame }) {
    const head = Buffer.allocUnsafe(2)
    head.writeUInt16LE(partition)
    return [head, frame]
  },
  decode: (bytes) => ({ partition: bytes.readUInt16LE(0), frame: bytes.subarray(2) }),
  keyOf: ({ partition }) => partition,
}
