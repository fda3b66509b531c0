// `godwit run`: bundle, check, start, show. What is not needed to open a Godwit is loaded after that has
// begun: its first worker starts meanwhile.

import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Manifest, TaskSpec } from "../../core/task.ts";
import type { Literals } from "../../core/value.ts";
import { findTask, loadCode, type Source } from "../code.ts";
import { usageError } from "../error-report.ts";
import { type CommonOptions, dataDirOf, projectDirOf, scopeOf, sourceFile } from "../place.ts";
import { runArguments } from "../run-arguments.ts";
import { carry, type DisplayOptions, engineOf, type Started, type StartOptions, startOf } from "../running.ts";
import { openSession, type Session } from "../session.ts";
import type { Io } from "../terminal.ts";
import { write } from "../terminal.ts";
import { flagName } from "../type-text.ts";

export type RunOptions = DisplayOptions &
  StartOptions & {
    readonly name?: string;
    readonly overwriteCache?: boolean;
    readonly inputs?: string;
    /** A deployed one, of a server. */
    readonly task?: string;
    readonly version?: string;
    /** `URL[,phase…]`, of a server. */
    readonly notify?: readonly string[];
  };

export async function run(
  rest: readonly string[],
  options: RunOptions,
  ownFlags: readonly string[],
  io: Io,
): Promise<number> {
  if (options.task !== undefined)
    throw usageError(`--task names a deployed task of a server: godwit run --remote --task ${options.task}`);
  if (options.notify !== undefined) throw usageError("A server notifies: --notify goes with --remote.");
  return carry(io, options, async (opened): Promise<Started> => {
    const { file, task, inputs: tokens } = runArguments(rest);
    const source = sourceOf(file, io);
    const dataDir = dataDirOf(options, io, source.projectDir);
    const opening = openSession({
      dataDir,
      scope: scopeOf(options, io),
      io,
      isWarm: true,
      engine: engineOf(options),
    }).then((session) => {
      opened(session);
      return session;
    });
    const { session, manifest } = await loadCode(source, opening, dataDir);
    const spec = findTask(manifest, task);
    const inputs = await checkedInputs(
      { session, source, manifest, spec, command: `godwit run ${file} ${spec.shortName} --help` },
      tokens,
      options,
      ownFlags,
    );
    const { run: created, created: isNew } = await session.godwit.control.createRun(session.scope, {
      name: options.name ?? null,
      manifest,
      task: spec.name,
      inputs,
      source,
      overwriteCache: options.overwriteCache === true,
      ...startOf(options),
      recovers: null,
    });
    return { session, run: created, isNew, currentBundle: manifest.bundle };
  });
}

export function sourceOf(file: string, io: Io): Source {
  const path = sourceFile(file, io);
  return { file: path, projectDir: projectDirOf(dirname(path)) };
}

type Target = {
  readonly session: Session;
  readonly source: Source;
  readonly manifest: Manifest;
  readonly spec: TaskSpec;
  /** That tells the inputs. */
  readonly command: string;
};

async function checkedInputs(
  { session, source, manifest, spec, command }: Target,
  tokens: readonly string[],
  options: RunOptions,
  ownFlags: readonly string[],
): Promise<Literals> {
  const { io, godwit } = session;
  const literals = await givenInputs({ io, godwit, spec, command }, tokens, options, ownFlags);
  const issues = await godwit.check(manifest.bundle, source.projectDir, spec.name, literals);
  if (issues.length > 0) throw inputsError(spec, issues, command);
  return literals;
}

/** What was typed, as values of the task's types; the task's own checks are still to come. */
export async function givenInputs(
  { io, godwit, spec, command }: Pick<Session, "io" | "godwit"> & Pick<Target, "spec" | "command">,
  tokens: readonly string[],
  options: RunOptions,
  ownFlags: readonly string[],
): Promise<Literals> {
  const { parseInputFlags } = await import("../input-flags.ts");
  const { inputLiterals, jsonInputs } = await import("../input-values.ts");
  const flags = parseInputFlags(tokens, spec.interface.inputs, ownFlags);
  const json = await jsonInputs(options.inputs, io);
  const { literals, problems } = await inputLiterals(spec, flags, json, { blobs: godwit.blobs, cwd: io.cwd });
  const mixed = mixedUp(spec, options, new Set([...flags.given.keys(), ...Object.keys(json)]));
  if (problems.length + mixed.length > 0) throw inputsError(spec, [...mixed, ...problems], command);
  return literals;
}

const engineFlags = ["cpu", "memory", "disk", "gpus", "token", "priority", "maxConcurrency"] as const;

/** Flags that were taken as the engine's where the task has an input of the name, and did not get it. */
const mixedUp = (spec: TaskSpec, options: RunOptions, given: ReadonlySet<string>): readonly string[] =>
  engineFlags
    .filter((flag) => options[flag] !== undefined)
    .map(flagName)
    .filter((flag) => spec.interface.inputs.some(({ name }) => flagName(name) === flag && !given.has(name)))
    .map(
      (flag) => `--${flag} is an option of Godwit's: give the input of that name after --, as in -- --${flag} VALUE`,
    );

export const inputsError = (spec: TaskSpec, problems: readonly string[], command: string): Error =>
  usageError(
    `The inputs of ${spec.name} are not right:\n${problems.map((problem) => `  ${problem}`).join("\n")}\nSee ${command}`,
  );

/** `godwit run FILE [TASK] --help`: loads the file, but leaves no data directory behind. */
export async function helpForTask(rest: readonly string[], options: CommonOptions, io: Io): Promise<number> {
  const { file, task } = runArguments(rest);
  const { taskHelp } = await import("../task-help.ts");
  return withLoaded(file, options, io, async (manifest) => {
    await write(io.stdout, `${taskHelp(manifest, file, task, io.stdout.columns ?? 100)}\n`);
    return 0;
  });
}

/** Loads a file's tasks without starting anything. */
export async function withLoaded<T>(
  file: string,
  options: CommonOptions,
  io: Io,
  work: (manifest: Manifest) => Promise<T>,
): Promise<T> {
  const source = sourceOf(file, io);
  const wanted = dataDirOf(options, io, source.projectDir);
  const borrowed = existsSync(wanted) ? null : await mkdtemp(join(tmpdir(), "godwit-"));
  const dataDir = borrowed ?? wanted;
  let session: Session | null = null;
  try {
    const opening = openSession({
      dataDir,
      scope: scopeOf(options, io),
      io,
      engine: { workers: 1, settings: {} },
      isWarm: true,
    }).then((opened) => {
      session = opened;
      return opened;
    });
    const { manifest } = await loadCode(source, opening, dataDir);
    return await work(manifest);
  } finally {
    await (session as Session | null)?.godwit.close();
    if (borrowed !== null) await rm(borrowed, { recursive: true, force: true });
  }
}
