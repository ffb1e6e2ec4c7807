import { ModelLink } from '../explorer/model-link.js'
import { Steps } from '../explorer/steps.js'
import { ModelStore } from '../model/model-store.js'
import { itKeepsTheContract } from './remote-conformance.js'

itKeepsTheContract('the model', async () => {
  const steps = new Steps(() => 0)
  const link = new ModelLink('p', {
    steps,
    store: new ModelStore(() => performance.now()),
    invalidated: () => undefined,
  })
  // Steps are taken as soon as they are possible.
  const add = steps.add.bind(steps)
  steps.add = (label, run, isLast) => {
    const takeBack = add(label, run, isLast)
    queueMicrotask(() => {
      takeBack()
      run()
    })
    return takeBack
  }
  return { remote: link, close: () => Promise.resolve() }
})
