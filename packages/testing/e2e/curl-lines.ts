export interface CurlLine {
  readonly url: string
  readonly method: 'GET' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/** The curl commands in the sh blocks of a Markdown text: -s, -u, -H and -d, with words in single quotes or none. */
export function readCurlLines(markdown: string): CurlLine[] {
  const blocks = [...markdown.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block.replaceAll('\\\n', ' '))
  return blocks.flatMap((block) => [...block.matchAll(/^curl (?:'[^']*'|[^'\n])*/gm)].map(([line]) => readCurl(line)))
}

function readCurl(line: string): CurlLine {
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '').slice(1)
  const headers: Record<string, string> = {}
  let url = ''
  let body: string | undefined
  while (words.length > 0) {
    const word = words.shift() as string
    if (word === '-s') continue
    if (!word.startsWith('-')) {
      url = word
      continue
    }
    const value = words.shift() ?? ''
    if (word === '-u') headers.authorization = `Basic ${btoa(value)}`
    else if (word === '-d') body = value
    else if (word === '-H')
      headers[value.slice(0, value.indexOf(':')).toLowerCase()] = value.slice(value.indexOf(':') + 1).trim()
    else throw new Error(`this reads no ${word} in ${line}`)
  }
  // What curl says of a body by itself.
  if (body !== undefined) headers['content-type'] ??= 'application/x-www-form-urlencoded'
  return { url, method: body === undefined ? 'GET' : 'POST', headers, body }
}
