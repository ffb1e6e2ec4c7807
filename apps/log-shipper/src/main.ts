import { runService } from '@millrace/service'
import { configSchema } from './config.js'
import { run } from './run.js'

await runService({ name: 'log-shipper', configSchema, run })
