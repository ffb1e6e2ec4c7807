import type { Masker } from '@millrace/masking'
import winston from 'winston'

/** A winston format that masks the message and all fields but objects, which are masked before winston gets them. */
export function maskFormat(masker: Masker): winston.Logform.Format {
  return winston.format((info) => {
    info.message = masker.text(info.message as string)
    for (const name in info) {
      const value = info[name]
      if (typeof value !== 'object' && !UNMASKED.has(name)) info[name] = masker.field(name, value)
    }
    return info
  })()
}

const UNMASKED = new Set(['level', 'message', 'timestamp', 'service'])
