import { request } from 'node:http'

/** Counts frames that a consumer read again and dropped by their sequence. */
const METRIC = 'millrace_stream_repeated_frames_total'

/** The consumer's count since its start; 0 when its admin server does not answer. */
export async function readReplays(adminUrl: string): Promise<number> {
  const text = await fetchText(`${adminUrl}/metrics`).catch(() => '')
  let sum = 0
  for (const line of text.split('\n')) if (line.startsWith(METRIC)) sum += Number(line.slice(line.lastIndexOf(' ') + 1))
  return sum
}

function fetchText(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const req = request(url, { agent: false, timeout: 2000 }, (res) => {
      let text = ''
      res.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      res.on('end', () => resolve(text))
    })
    req.once('timeout', () => req.destroy(new Error('no answer in time')))
    req.once('error', reject)
    req.end()
  })
}
