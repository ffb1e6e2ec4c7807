import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { endNotes } from './orphans.js'

// Usage: node watch-owner.js <notes directory of the owner>
// Reads the notes of the process that started it, one JSON array [name, content] a line; with null the note is forgotten. Standard input ends when that
// process ends, however it ends; then its children are ended and its temporary directories are removed.

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => {})
const notes = new Map<string, string>()
for await (const line of createInterface({ input: process.stdin })) {
  const [name, content] = JSON.parse(line) as [string, string | null]
  if (content === null) notes.delete(name)
  else notes.set(name, content)
}
await endNotes(notes)
const [directory] = process.argv.slice(2)
if (notes.size > 0 && directory) rmSync(directory, { recursive: true, force: true })
