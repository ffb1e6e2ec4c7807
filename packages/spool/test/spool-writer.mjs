// Appends numbered records to the spool in argv[2]; prints each number once its record is acknowledged, until it is killed or refused.
import { silentLogger } from '@millrace/logger'
import { openSpool } from '../dist/index.js'

const codec = { encode: (bytes) => [bytes], decode: (bytes) => bytes, keyOf: () => 0 }
const config = { directory: process.argv[2], bytesMax: 1024 ** 3, segmentBytes: 1024 ** 2 }
const spool = await openSpool(config, { codec, logger: silentLogger })
try {
  for (let number = 1; ; number++) {
    const record = Buffer.alloc(200 + (number % 7) * 100, '.')
    record.write(String(number).padStart(10, '0'))
    await spool.append([record])
    process.stdout.write(`${number}\n`)
  }
} catch (error) {
  process.stdout.write(`${error.code} ${error.message}\n`)
}
