import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Runs a script of ours as a process of its own, with its task as an argument; resolves with the JSON it prints. */
export function runJsonProcess(url, task) {
  const child = spawn(process.execPath, [fileURLToPath(url), JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    text += chunk
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(text))
      else reject(new Error(`${url} ended with ${code}`))
    })
  })
}
