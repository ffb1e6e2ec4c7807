export { measureRates, type Rates } from './rates.js'
