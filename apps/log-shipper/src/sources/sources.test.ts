import { describe, expect, it } from '@jest/globals'
import { LOG_WIRE_PATHS } from '@millrace/contracts'
import { HTTP_SOURCES } from './sources.js'

describe('the wires over HTTP', () => {
  it('have the paths that the gateway passes on, and besides them only the root, which is a page of the gateway there, and the path of uploads, which is too general for it', () => {
    const served = new Set(HTTP_SOURCES.flatMap(({ routes }) => routes.map(({ path }) => path)))
    for (const own of ['/', '/upload']) served.delete(own)
    expect([...served].sort()).toEqual([...LOG_WIRE_PATHS].sort())
  })
})
