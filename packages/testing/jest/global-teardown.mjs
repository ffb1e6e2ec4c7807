export default async function globalTeardown() {
  await globalThis.millraceTestBroker?.stop()
}
