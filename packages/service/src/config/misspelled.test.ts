import { describe, expect, it } from '@jest/globals'
import { findMisspelled } from './misspelled.js'

const names = ['HTTP_PORT', 'DATABASE_URL', 'NODE_ENV', 'EVENTS_RETENTION_DAYS', 'LOG_LEVEL']
const meantBy = (variable: string) => findMisspelled(names, { [variable]: 'x' })[0]?.meant

describe('the search for misspelled settings', () => {
  it.each([
    ['HTTP_PROT', 'HTTP_PORT'],
    ['HTPP_PORT', 'HTTP_PORT'],
    ['HTTPPORT', 'HTTP_PORT'],
    ['http_port', 'HTTP_PORT'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['EVENT_RETENTION_DAY', 'EVENTS_RETENTION_DAYS'],
    ['MILLRACE_DATADIR', 'MILLRACE_DATA_DIR'],
  ])('finds that %s was probably meant to be %s', (variable, meant) => {
    expect(meantBy(variable)).toBe(meant)
  })

  it('reports every unknown variable that begins with MILLRACE_', () => {
    expect(findMisspelled(names, { MILLRACE_COLOUR: 'blue' })).toEqual([
      { variable: 'MILLRACE_COLOUR', meant: undefined },
    ])
  })

  it('reports no known setting, no file of a setting, no empty variable, and no variable of another program', () => {
    const env = {
      HTTP_PORT: '1',
      DATABASE_URL_FILE: '/x',
      MILLRACE_PORTS: 'free',
      HTTP_PROT: '',
      HTTP_PROXY: 'http://x',
      LOGNAME: 'root',
      PATH: '/bin',
      npm_config_loglevel: 'x',
    }
    expect(findMisspelled(names, env)).toEqual([])
  })
})
