// Runs container tasks of Flyte's protocol as processes of this machine: `a0` of Flyte's SDK, in an
// environment of Python that stands for the image. What the process is told, and what is read of what it
// leaves, follows the protocol's process contract (python-command.ts, python-outcome.ts).
//
// R1  It starts in a directory of its own, empty but for what the image brings, where the SDK unpacks the
//     user's code; the directory is removed when the attempt has ended.
// R2  Each attempt has a directory in the storage for its outputs, raw data and checkpoint. They stay.
// R3  A checkpoint that an attempt has left is told to the next.
// R4  When it ends, so do all processes of its group, and when this process ends, so does it (guard.ts).
// R5  `a0` is forked from a warm interpreter where there is one (warm-pythons.ts); the task cannot tell.
import { cp, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload } from "../blob/payload.ts";
import type { Clock } from "../core/clock.ts";
import { assert } from "../core/error.ts";
import { attemptId, type Launch, type Outcome, refOf, type TaskCalls } from "../core/messages.ts";
import { rootName } from "../core/names.ts";
import { literalToText } from "../idl/idl.ts";
import type { AttemptPlace, Storage } from "../storage/storage.ts";
import type { Capacity } from "./capacity.ts";
import { Captures } from "./capture.ts";
import type { LogSink } from "./executor.ts";
import type { ForkedProcess } from "./fork-server.ts";
import { spawnGuarded } from "./guard.ts";
import { type LoneAttempt, type LoneExecutor, loneExecutor } from "./lone-attempts.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { gpuVariables } from "./own-process.ts";
import { memoryFailure, watchedGroup } from "./process-end.ts";
import {
  asksForInputs,
  type CommandOptions,
  type CommandPaths,
  commandVariables,
  commandWords,
  ownVariables,
  type Variables,
} from "./python-command.ts";
import { type Environments, PythonEnvironments, type PythonGround } from "./python-environments.ts";
import { removeLeft, Workspaces } from "./scratch.ts";
import { WarmPythons, type WarmPythonsOptions } from "./warm-pythons.ts";

export type PythonExecutorOptions = {
  readonly blobs: BlobStore;
  readonly storage: Storage;
  readonly logs: LogSink;
  /** For reports. */
  readonly calls: Pick<TaskCalls, "attach">;
  /** For the time of log lines. */
  readonly clock?: Pick<Clock, "nowMs">;
  readonly capacity: Capacity;
  /** Attempts get their directories below it; it is created if need be. */
  readonly tmpDir: string;
  /** `host:port` at which tasks reach the server; asked for each attempt. */
  readonly endpoint: () => string;
  readonly environments: Environments;
  /** Null: every attempt starts cold. Default: with what `WarmPythonsOptions` say. */
  readonly warm?: Omit<WarmPythonsOptions, "onText"> | null;
  /** What interpreters write that belongs to no attempt, and what is wrong with them. Default: nowhere. */
  readonly onText?: (text: string) => void;
  /** Variables that carry the secrets a task asks for. Default: none. */
  readonly secretValues?: (launch: Launch) => Promise<Variables>;
};

export function pythonExecutor(options: PythonExecutorOptions): LoneExecutor {
  const workspaces = new Workspaces(options.tmpDir);
  const python = new Python(options);
  return loneExecutor(options.capacity, {
    accepts: ({ target }) => target.type === "container",
    begin: () => removeLeft(options.tmpDir, ["shell"]),
    run: (attempt) => workspaces.with((cwd) => python.run(cwd, attempt)),
    end: async () => {
      await python.close();
      await workspaces.close();
    },
  });
}

/** What the root gets beside its inputs; to the others their caller hands it on in their `inputs.pb`. */
const contextOf = ({ action, origin }: Launch) => (action === rootName ? origin?.context : undefined) ?? {};

class Python {
  readonly #options: PythonExecutorOptions;
  readonly #environments: PythonEnvironments;
  readonly #watch = new MemoryWatch();
  readonly #warm: WarmPythons | null;

  constructor(options: PythonExecutorOptions) {
    const { warm, onText = () => {} } = options;
    this.#options = options;
    this.#warm = warm === null ? null : new WarmPythons({ ...warm, onText });
    this.#environments = new PythonEnvironments(options.environments);
  }

  async run(cwd: string, attempt: LoneAttempt): Promise<Outcome["result"]> {
    const { launch } = attempt;
    const { target } = launch.spec;
    assert(target.type === "container", `the Python executor was given a ${target.type} task`);
    const environment = await this.#environments.resolve(target.image);
    if (environment.workdir !== null) await cp(environment.workdir, cwd, { recursive: true }); // R1
    const paths = await this.#paths(launch);
    const command = await this.#command(launch, { paths, cwd, environment });
    if (attempt.isStopping) return { type: "interrupted" };
    const process = await this.#start(launch, environment, command);
    attempt.process = process;
    // It was not there yet to be told.
    if (attempt.isStopping) process.kill("SIGKILL");
    attempt.group = watchedGroup(this.#watch, launch, process);
    const captures = new Captures(process, { ...this.#options, attempt: refOf(launch) });
    const exit = await process.exited;
    await captures.drained();
    attempt.group?.end();
    if (attempt.isStopping) return { type: "interrupted" };
    await this.#attachReport(launch, paths.report);
    return (
      memoryFailure(attempt.group, exit, launch) ??
      (await (
        await import("./python-outcome.ts")
      ).outcomeOf({ launch, paths, exit, tails: captures.tails }, this.#options))
    );
  }

  /** When nothing runs any more. */
  async close(): Promise<void> {
    await this.#warm?.close();
  }

  /** R2, R3. */
  async #paths(launch: Launch): Promise<CommandPaths> {
    const { storage, blobs } = this.#options;
    const place = placeOf(launch);
    const [paths, inputs, previousCheckpoint] = await Promise.all([
      storage.makeAttempt(place),
      storage.ensureActionInputs(
        place,
        await fromPayload(launch.inputs, blobs),
        launch.spec.interface,
        contextOf(launch),
      ),
      this.#previousCheckpoint(place),
    ]);
    return { ...paths, inputs, previousCheckpoint, runBase: storage.runBase(launch, launch.runName) };
  }

  /** R3. An attempt that was cut off early has left none: then what it was told itself counts. */
  async #previousCheckpoint(place: AttemptPlace): Promise<string | null> {
    for (let attempt = place.attempt - 1; attempt > 0; attempt--) {
      const { checkpoint } = this.#options.storage.attempt({ ...place, attempt });
      const found = await stat(checkpoint).catch(() => null); // It is not there.
      if (found !== null) return checkpoint;
    }
    return null;
  }

  async #command(
    launch: Launch,
    {
      paths,
      cwd,
      environment,
    }: { readonly paths: CommandPaths; readonly cwd: string; readonly environment: PythonGround },
  ): Promise<CommandOptions> {
    const { capacity, endpoint, secretValues } = this.#options;
    return {
      paths,
      cwd,
      endpoint: endpoint(),
      bin: environment.bin,
      imageEnv: environment.env,
      gpus: gpuVariables(capacity.machine, capacity.devices(attemptId(launch))),
      secrets: (await secretValues?.(launch)) ?? {},
      texts: await this.#texts(launch),
    };
  }

  /** Few tasks ask for inputs among their words. */
  async #texts({ spec: { target }, inputs }: Launch): Promise<Variables> {
    if (target.type !== "container" || !asksForInputs([...target.command, ...target.args])) return {};
    const literals = await this.#options.storage.exportLiterals(await fromPayload(inputs, this.#options.blobs));
    return Object.fromEntries(Object.entries(literals).map(([name, literal]) => [name, literalToText(literal)]));
  }

  /** R5. */
  async #start(launch: Launch, { python }: PythonGround, command: CommandOptions): Promise<ForkedProcess> {
    const { cwd, bin } = command;
    const [program, ...args] = commandWords(launch, command);
    assert(program !== undefined, "a container task has a command");
    const env = commandVariables(launch, command);
    const argv = [join(bin, program), ...args];
    const forked =
      program === "a0" ? await this.#warm?.start({ python, argv, env, cwd, own: ownVariables(command) }) : null;
    return forked ?? spawnGuarded(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  }

  async #attachReport(launch: Launch, report: string): Promise<void> {
    const { blobs, calls } = this.#options;
    const found = await stat(report).catch(() => null); // It has made none.
    if (found === null) return;
    const { digest } = await blobs.putFile(report);
    await calls.attach(refOf(launch), { type: "report", digest });
  }
}

const placeOf = ({ project, domain, runName, action, attempt }: Launch): AttemptPlace => ({
  project,
  domain,
  run: runName,
  action,
  attempt,
});
