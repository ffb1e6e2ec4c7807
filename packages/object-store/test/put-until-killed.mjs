// Puts objects into a folder until it is killed, and prints the key of each one that was acknowledged.
import { openObjectStore } from '@millrace/object-store'

const store = await openObjectStore({ driver: 'file', directory: process.argv[2] })
for (let number = 0; ; number++) {
  const key = `day=${number % 3}/${number}`
  const body = Buffer.alloc(300_000 + number, number)
  await store.put(key, body, { ifAbsent: number % 2 === 0 })
  process.stdout.write(`${key}\n`)
}
