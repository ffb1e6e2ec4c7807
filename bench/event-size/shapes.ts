import { createHash } from 'node:crypto'

/** Events of one size. */
export interface Shape {
  readonly name: string
  /** The properties of event number `i`. No two events have equal values, so that compression gains what it gains with real events. */
  readonly properties: (i: number) => Record<string, unknown>
}

/** Text that compresses about as well as words of a language: letters of a hash, each chunk twice. */
function words(seed: string, length: number): string {
  let text = ''
  for (let n = 0; text.length < length; n++) {
    const chunk = createHash('md5').update(`${seed}.${n}`).digest('base64url').slice(0, 16)
    text += `${chunk} ${chunk.slice(0, 8)} `
  }
  return text.slice(0, length)
}

/** An object with this number of keys and about this number of bytes as JSON. */
function flat(keys: number, bytes: number): Shape['properties'] {
  const valueLength = Math.max(1, Math.round(bytes / keys) - `"key_${keys}":"",`.length)
  return (i) =>
    Object.fromEntries(Array.from({ length: keys }, (_, key) => [`key_${key}`, words(`${i}.${key}`, valueLength)]))
}

/** An order as the specifications of Segment and RudderStack describe it. */
function cart(products: number): Shape['properties'] {
  return (i) => ({
    order_id: `order-${i}`,
    currency: 'EUR',
    revenue: i,
    products: Array.from({ length: products }, (_, n) => ({
      product_id: words(`${i}.${n}`, 24),
      sku: `sku-${i}-${n}`,
      name: words(`name ${i}.${n}`, 60),
      brand: words(`brand ${n}`, 20),
      category: words(`category ${n % 9}`, 30),
      variant: words(`${n}`, 12),
      price: n + 0.99,
      quantity: (n % 3) + 1,
      coupon: null,
      position: n,
      url: `https://shop.example/products/${words(`${i}.${n}`, 40).replaceAll(' ', '-')}`,
      image_url: `https://cdn.shop.example/${words(`${n}`, 60).replaceAll(' ', '-')}.jpg`,
    })),
  })
}

export const SHAPES: readonly Shape[] = [
  { name: '1 KiB, 20 keys', properties: flat(20, 900) },
  { name: '10 KiB, 200 keys', properties: flat(200, 10_100) },
  { name: '32 KiB, 1,000 keys', properties: flat(1_000, 32_400) },
  { name: 'cart of 100 products', properties: cart(100) },
  { name: '100 KiB, 5,000 keys', properties: flat(5_000, 102_000) },
  { name: '256 KiB, 10,000 keys', properties: flat(10_000, 262_000) },
  { name: '256 KiB, 1 key', properties: flat(1, 262_000) },
  { name: '1 MiB, 40,000 keys', properties: flat(40_000, 1_040_000) },
]
