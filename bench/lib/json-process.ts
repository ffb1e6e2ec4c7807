import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { rememberChild } from '@millrace/local-stack'

/** Runs one of our scripts as a separate process with `task` as its argument. Resolves with the JSON that it prints. */
export function runJsonProcess<Result>(url: URL, task: object): Promise<Result> {
  const child = spawn(process.execPath, [fileURLToPath(url), JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  // It ends with this process, however that ends.
  if (child.pid !== undefined) child.once('exit', rememberChild(child.pid))
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(text) as Result)
      else reject(new Error(`${url.href} ended with exit code ${code}`))
    })
  })
}

/** The task of a process that `runJsonProcess` started. */
export function readTask<Task>(): Task {
  return JSON.parse(process.argv[2] ?? '') as Task
}

/** Prints what `runJsonProcess` resolves with. */
export function printReport(report: object): void {
  process.stdout.write(JSON.stringify(report))
}

/** Processor time of this process so far, in seconds. */
export function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
