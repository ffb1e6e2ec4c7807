import { runArchiveCommand } from './archive/run-archive-command.js'

process.exitCode = await runArchiveCommand(process.argv.slice(2), process)
