import { ModelLink } from '../explorer/model-link.js'
import { Steps } from '../explorer/steps.js'
import { ModelStore } from './model-store.js'

/** The modelled Redis with one connection whose steps run as soon as possible. */
export function openInstantModel(nowMs: () => number): { readonly link: ModelLink; readonly store: ModelStore } {
  const steps = new Steps(() => 0)
  const store = new ModelStore(nowMs)
  const add = steps.add.bind(steps)
  steps.add = (label, run, isLast) => {
    const takeBack = add(label, run, isLast)
    queueMicrotask(() => {
      takeBack()
      run()
    })
    return takeBack
  }
  return { store, link: new ModelLink('p', { steps, store, invalidated: () => undefined }) }
}
