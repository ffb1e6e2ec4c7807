import { openInstantModel } from '../model/instant-model.js'
import { itKeepsTheContract } from './remote-conformance.js'

itKeepsTheContract('the model', () => {
  const { link } = openInstantModel(() => performance.now())
  return Promise.resolve({ remote: link, close: () => Promise.resolve() })
})
