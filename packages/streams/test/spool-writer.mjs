// Appends numbered frames to the spool in argv[2]; prints each number once its frame is acknowledged, until it is killed or refused.
import { silentLogger } from '@millrace/logger'
import { Spool } from '../dist/spool/spool.js'

const spool = await Spool.open(
  { directory: process.argv[2], bytesMax: 1024 ** 3, segmentBytes: 1024 ** 2 },
  { logger: silentLogger },
)
try {
  for (let number = 1; ; number++) {
    const frame = Buffer.alloc(200 + (number % 7) * 100, '.')
    frame.write(String(number).padStart(10, '0'))
    await spool.append([{ partition: number % 16, frame }])
    process.stdout.write(`${number}\n`)
  }
} catch (error) {
  process.stdout.write(`${error.code} ${error.message}\n`)
}
