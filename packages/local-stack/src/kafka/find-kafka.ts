import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { has } from '../debian-packages.js'

const VERSION = '4.3.1'
const DIRECTORY = `kafka-${VERSION}`
const JAVA_MAJOR_MIN = 17
/** A first download of 45 MB over a slow line. */
const MAVEN_MS = 600_000

/** A Java program and the jars of a Kafka broker and its command-line tools. */
export interface KafkaProgram {
  readonly java: string
  /** The directory of the jars. */
  readonly libraries: string
  /** Of Kafka, for example "4.3.1". */
  readonly version: string
}

/**
 * Finds Java and the jars of a Kafka broker. Missing jars are resolved by Maven, from the repository that Maven is configured for, and copied into
 * the last of `cacheDirs`. Returns the reason with the remedy, as a clause without a full stop, when that is not possible.
 * @param say receives a line before a download.
 * @param env says where programs are (PATH, JAVA_HOME), and is the environment of Maven.
 */
export function findKafka(
  cacheDirs: readonly string[],
  say: (line: string) => void = () => {},
  env: NodeJS.ProcessEnv = process.env,
): KafkaProgram | string {
  const missing = findMissingProgram(cacheDirs, env)
  if (missing !== undefined) return missing
  const java = `${findJava(env)}`
  const libraries = librariesIn(cacheDirs) ?? resolve(`${cacheDirs.at(-1)}`, DIRECTORY)
  if (existsSync(libraries)) return { java, libraries, version: VERSION }
  say(`Kafka ${VERSION} is missing: Maven resolves its jars into ${libraries}`)
  const complaint = resolveJars(libraries, env)
  return complaint === undefined ? { java, libraries, version: VERSION } : complaint
}

/** The reason, with the remedy, when PATH and JAVA_HOME of `env` lack a program that a Kafka broker needs. Downloads nothing. */
export function findMissingProgram(cacheDirs: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  if (findJava(env) === undefined)
    return `a Kafka broker needs Java ${JAVA_MAJOR_MIN} or newer, which is neither in JAVA_HOME nor on PATH: install a Java runtime (Debian: apt-get install openjdk-17-jre-headless)`
  if (librariesIn(cacheDirs) === undefined && !has('mvn', env))
    return 'the jars of a Kafka broker are resolved by Maven, and there is no program mvn on PATH: install Maven (Debian: apt-get install maven)'
  return undefined
}

function librariesIn(cacheDirs: readonly string[]): string | undefined {
  return cacheDirs.map((directory) => resolve(directory, DIRECTORY)).find((path) => existsSync(path))
}

function findJava(env: NodeJS.ProcessEnv): string | undefined {
  const candidates = [...(env.JAVA_HOME ? [join(env.JAVA_HOME, 'bin/java')] : []), 'java']
  return candidates.find((command) => majorOf(command, env) >= JAVA_MAJOR_MIN)
}

/** 0 when the program cannot be run. Java 8 calls itself 1.8. */
function majorOf(java: string, env: NodeJS.ProcessEnv): number {
  const { stderr } = spawnSync(java, ['-version'], { encoding: 'utf8', env })
  return Number(/version "(\d+)/.exec(stderr ?? '')?.[1] ?? 0)
}

/** Returns why it failed. */
function resolveJars(target: string, env: NodeJS.ProcessEnv): string | undefined {
  const part = `${target}.${process.pid}`
  rmSync(part, { recursive: true, force: true })
  mkdirSync(part, { recursive: true })
  try {
    writeFileSync(join(part, 'pom.xml'), POM)
    const directory = join(part, 'libraries')
    const args = ['-B', '-q', '-ntp', '-Dstyle.color=never', '-f', join(part, 'pom.xml')]
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${directory}`]
    const result = spawnSync('mvn', [...args, ...goal], {
      encoding: 'utf8',
      timeout: MAVEN_MS,
      env,
    })
    if (result.status !== 0)
      return `Maven could not resolve the jars of a Kafka broker (${firstError(result.stdout) ?? result.error?.message ?? 'it gave no reason'}): check the network, or the mirror in Maven's settings.xml`
    // Another process may have resolved the same jars meanwhile.
    if (!existsSync(target)) renameSync(directory, target)
    return undefined
  } finally {
    rmSync(part, { recursive: true, force: true })
  }
}

function firstError(output: string | null): string | undefined {
  return /^\[ERROR\] (.+?)(?: -> \[Help.*)?$/m.exec(output ?? '')?.[1]
}

/** kafka-tools holds the command-line tools; what it depends on beyond the broker belongs to Kafka Connect. Without slf4j-simple the broker logs nothing. */
const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>millrace</groupId>
  <artifactId>kafka-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${VERSION}</version>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
    </dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`
