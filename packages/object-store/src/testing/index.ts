export { describeObjectStore, type StoreUnderTest } from './describe-object-store.js'
