const SOURCE = /^(?:apps|packages)\/[^/]+\/src\//
const IGNORED = /\.test\.ts$|\/testing\//

/**
 * Cycles between neighbours in the folders of each app's and package's src. Two folders that import each other cannot be read or moved one at a time,
 * even when no two files form a cycle. In every folder the files and subfolders are compared, a subfolder with everything below it. Tests and test
 * helpers are left out. `modules` are those of dependency-cruiser's report.
 * @returns a path of neighbours, from one back to itself, for each group of neighbours that are in a cycle.
 */
export function findFolderCycles(modules) {
  const cycles = []
  for (const edges of neighbours(modules).values()) cycles.push(...findCycles(edges))
  return cycles
}

/** For each folder that holds sources: which of its children imports which other child of it. */
function neighbours(modules) {
  const folders = new Map()
  for (const { source, dependencies } of modules) {
    if (!isChecked(source)) continue
    for (const { resolved } of dependencies) {
      if (!isChecked(resolved)) continue
      const { folder, from, to } = split(source, resolved)
      if (!SOURCE.test(`${folder}/`) || from === to) continue
      const edges = folders.get(folder) ?? new Map()
      folders.set(folder, edges)
      edges.set(from, (edges.get(from) ?? new Set()).add(to))
    }
  }
  return folders
}

function isChecked(file) {
  return SOURCE.test(file) && !IGNORED.test(file)
}

/** The deepest folder that holds both files, and its children that are or hold them. */
function split(source, target) {
  const [a, b] = [source.split('/'), target.split('/')]
  let depth = 0
  while (a[depth] === b[depth] && depth < a.length - 1) depth++
  const upTo = (path, length) => path.slice(0, length).join('/')
  return { folder: upTo(a, depth), from: upTo(a, depth + 1), to: upTo(b, depth + 1) }
}

/** One cycle for each group: the shortest way from its first member back to it. */
function findCycles(edges) {
  const cycles = []
  const seen = new Set()
  for (const start of [...edges.keys()].sort((a, b) => a.localeCompare(b))) {
    const cycle = seen.has(start) ? undefined : shortestWayBack(edges, start)
    if (cycle === undefined) continue
    for (const member of cycle) seen.add(member)
    cycles.push(cycle)
  }
  return cycles
}

function shortestWayBack(edges, start) {
  const before = new Map()
  const queue = [start]
  for (let place = queue.shift(); place !== undefined; place = queue.shift()) {
    for (const next of edges.get(place) ?? []) {
      if (next === start) return [...wayTo(place, before), start]
      if (before.has(next)) continue
      before.set(next, place)
      queue.push(next)
    }
  }
  return undefined
}

function wayTo(place, before) {
  return before.has(place) ? [...wayTo(before.get(place), before), place] : [place]
}
