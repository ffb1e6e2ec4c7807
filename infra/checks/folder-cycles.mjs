/**
 * Cycles between the folders of each app's and package's src, from the report of dependency-cruiser. Two folders that import each other cannot be read
 * or moved one at a time, even when no two files form a cycle. Tests and test helpers may import anything; a file that lies directly in src counts as a
 * folder of its own, since run.ts imports every folder and errors.ts is imported by every folder.
 * Returns one path of folders for each group of folders that are in a cycle.
 */
export function findFolderCycles(modules) {
  return [...groupByProject(modules)].flatMap(([project, edges]) =>
    findCycles(edges).map((path) => path.map((folder) => join(project, folder))),
  )
}

const SOURCE = /^((?:apps|packages)\/[^/]+\/src)\/(.+)$/
const IGNORED = /\.test\.ts$|\/testing\//

/** For each src folder: a map from each of its folders to the folders that it imports. */
function groupByProject(modules) {
  const projects = new Map()
  for (const { source, dependencies } of modules) {
    const from = placeOf(source)
    if (!from) continue
    for (const { resolved } of dependencies) {
      const to = placeOf(resolved)
      if (to?.project !== from.project || to.folder === from.folder) continue
      const edges = projects.get(from.project) ?? new Map()
      projects.set(from.project, edges)
      edges.set(from.folder, (edges.get(from.folder) ?? new Set()).add(to.folder))
    }
  }
  return projects
}

function placeOf(file) {
  const [, project, path] = SOURCE.exec(file) ?? []
  if (path === undefined || IGNORED.test(file)) return undefined
  const slash = path.lastIndexOf('/')
  return { project, folder: slash < 0 ? path : path.slice(0, slash) }
}

/** One cycle for each strongly connected group: the shortest way from its first folder back to it. */
function findCycles(edges) {
  const cycles = []
  const seen = new Set()
  for (const start of [...edges.keys()].sort()) {
    if (seen.has(start)) continue
    const cycle = shortestWayBack(edges, start)
    if (cycle === undefined) continue
    for (const folder of cycle) seen.add(folder)
    cycles.push(cycle)
  }
  return cycles
}

function shortestWayBack(edges, start) {
  const before = new Map()
  const queue = [start]
  for (let folder = queue.shift(); folder !== undefined; folder = queue.shift()) {
    for (const next of edges.get(folder) ?? []) {
      if (next === start) return [...wayTo(folder, before), start]
      if (before.has(next)) continue
      before.set(next, folder)
      queue.push(next)
    }
  }
  return undefined
}

function wayTo(folder, before) {
  return before.has(folder) ? [...wayTo(before.get(folder), before), folder] : [folder]
}

function join(project, folder) {
  return `${project}/${folder}`
}
