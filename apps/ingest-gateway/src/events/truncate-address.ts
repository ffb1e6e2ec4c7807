import { isIP } from 'node:net'

const IPV4_MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** An IP address in its usual form: an IPv4 address that is mapped to IPv6 as IPv4, without a zone. Undefined for any other text. */
export function readAddress(text: string): string | undefined {
  const address = text.trim().replace(/%.*$/, '')
  const family = isIP(address)
  if (family === 0) return undefined
  return IPV4_MAPPED.exec(address)?.[1] ?? address
}

/**
 * An IP address without the part that tells the hosts of one network apart: IPv4 keeps 24 bits, IPv6 keeps 48. Any other text is returned as
 * it is.
 */
export function truncateAddress(text: string): string {
  const address = readAddress(text)
  if (address === undefined) return text
  if (isIP(address) === 4) return address.replace(/\d+$/, '0')
  return `${firstGroups(address).join(':')}::`.replace(/^0(:0)*::$/, '::')
}

/** The first 48 bits of an IPv6 address, as three groups. */
function firstGroups(address: string): string[] {
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  // An IPv4 address at the end stands for two groups.
  const width = after.length + (after.at(-1)?.includes('.') === true ? 1 : 0)
  const zeros = new Array<string>(Math.max(0, 8 - before.length - width)).fill('0')
  return [...before, ...zeros, ...after].slice(0, 3).map((group) => Number.parseInt(group, 16).toString(16))
}
