// `godwit get tasks`, `godwit get task`: of a file, or of what has run here.
import { GodwitError } from "../../core/error.ts";
import { didYouMean } from "../../core/names.ts";
import type { TaskSpec } from "../../core/task.ts";
import { withExisting } from "../existing-session.ts";
import type { CommonOptions } from "../place.ts";
import type { Session } from "../session.ts";
import { taskLines } from "../task-help.ts";
import { type Io, write, writeJson, writeLine } from "../terminal.ts";
import { ageText, table } from "../text.ts";
import { withLoaded } from "./run.ts";

/** Runs that are looked through for tasks, newest first. */
const maxRuns = 1_000;

type KnownTask = {
  readonly spec: TaskSpec;
  readonly file: string;
  readonly lastRun: string | null;
  readonly lastRunAtMs: number | null;
};

export type TaskOptions = CommonOptions & { readonly file?: string; readonly version?: string };

export async function getTasks(options: TaskOptions, io: Io): Promise<number> {
  if (options.remote !== undefined) return (await import("./get-deployed.ts")).getDeployedTasks(options, io);
  const tasks = await known(options, io);
  if (options.json === true) await writeJson(io, tasks.map(taskRecord));
  else if (tasks.length === 0)
    await writeLine(
      io.stdout,
      "No tasks: nothing has run here yet. `godwit get tasks --file pipeline.ts` lists those of a file.",
    );
  else await write(io.stdout, `${taskTable(tasks).join("\n")}\n`);
  return 0;
}

export async function getTask(name: string, options: TaskOptions, io: Io): Promise<number> {
  if (options.remote !== undefined) return (await import("./get-deployed.ts")).getDeployedTask(name, options, io);
  const tasks = await known(options, io);
  const fits = tasks.filter(({ spec }) => spec.name === name || spec.shortName === name);
  const [found] = fits;
  if (found === undefined) {
    const names = new Set(tasks.flatMap(({ spec }) => [spec.name, spec.shortName]));
    const hint =
      options.file === undefined ? " `godwit get tasks` lists those that have run here; --file looks into a file." : "";
    throw new GodwitError("not_found", `There is no task "${name}".${didYouMean(name, names)}${hint}`);
  }
  if (fits.length > 1)
    throw new GodwitError(
      "invalid_argument",
      `"${name}" is ambiguous: ${fits.map(({ spec }) => spec.name).join(", ")}. Use a full name.`,
    );
  if (options.json === true) await writeJson(io, { ...taskRecord(found), spec: found.spec });
  else
    await write(
      io.stdout,
      `${[...taskLines(found.spec, io.stdout.columns ?? 100), "", `file: ${found.file}`, ...lastRunLines(found)].join("\n")}\n`,
    );
  return 0;
}

const lastRunLines = ({ lastRun }: KnownTask): readonly string[] => (lastRun === null ? [] : [`last run: ${lastRun}`]);

async function known(options: TaskOptions, io: Io): Promise<readonly KnownTask[]> {
  const { file } = options;
  if (file !== undefined) {
    return withLoaded(file, options, io, async ({ tasks }) =>
      tasks.map((spec) => ({ spec, file, lastRun: null, lastRunAtMs: null })),
    );
  }
  return withExisting(options, io, fromRuns);
}

/** Of each task the version that ran last. */
async function fromRuns({ godwit, scope }: Session): Promise<readonly KnownTask[]> {
  const found = new Map<string, KnownTask>();
  const bundles = new Set<string>();
  const { items } = await godwit.control.listRuns(scope, { limit: maxRuns, token: null });
  for (const run of items) {
    const before = found.get(run.task);
    if (before !== undefined && before.lastRun === null)
      found.set(run.task, { ...before, lastRun: run.name, lastRunAtMs: run.createdAtMs });
    if (bundles.has(run.bundle)) continue;
    bundles.add(run.bundle);
    const { tasks } = await godwit.control.manifest(run.bundle);
    for (const spec of tasks) {
      if (found.has(spec.name)) continue;
      const isRoot = spec.name === run.task;
      found.set(spec.name, {
        spec,
        file: run.source.file,
        lastRun: isRoot ? run.name : null,
        lastRunAtMs: isRoot ? run.createdAtMs : null,
      });
    }
  }
  return [...found.values()].sort((a, b) => a.spec.name.localeCompare(b.spec.name));
}

const taskRecord = ({ spec, file, lastRun, lastRunAtMs }: KnownTask) => ({
  task: spec.name,
  description: spec.description,
  environment: spec.environment,
  file,
  inputs: spec.interface.inputs,
  outputs: spec.interface.outputs,
  cache: spec.cache.type,
  lastRun,
  lastRunAt: lastRunAtMs === null ? null : new Date(lastRunAtMs).toISOString(),
});

function taskTable(tasks: readonly KnownTask[]): readonly string[] {
  const rows = tasks.map(({ spec, file, lastRun, lastRunAtMs }) => [
    spec.name,
    spec.interface.inputs.map(({ name }) => name).join(", "),
    lastRun === null || lastRunAtMs === null ? "" : `${lastRun} ${ageText(lastRunAtMs, Date.now())}`,
    spec.description ?? "",
    file,
  ]);
  return table(["TASK", "INPUTS", "LAST RUN", "DESCRIPTION", "FILE"], rows);
}
