// One run of very many actions, three levels deep, killed with SIGKILL at 30 % and at 70 % and resumed; and
// what it answers meanwhile to whoever asks how many have failed.
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Godwit, openGodwit } from "../../src/godwit.ts";
import { percentile, processorMs } from "../gauge.ts";
import type { Project } from "../godwit.ts";
import { watchMemory } from "../memory.ts";
import { type Case, checkRun, endedChildrenMs } from "./case.ts";

const killsAt = [0.3, 0.7];
const name = "tree";
/** As in pipelines/tree.ts. */
const failsEvery = 100_000;
const scope = { project: "default", domain: "development", caller: "bench" };

type Shape = {
  readonly limbs: number;
  readonly branches: number;
  readonly leaves: number;
  readonly window: number;
};

/** Ten limbs, branches of a thousand leaves; sixteen branches of a limb are open at once. */
function shapeOf(wanted: number): Shape {
  const leaves = wanted >= 1_000_000 ? 1_000 : 20;
  return { limbs: 10, branches: Math.ceil(wanted / 10 / leaves), leaves, window: 16 };
}

type Watched = {
  /** How long `godwit get run --json` took as a command, and `getRun` in a process that is open. */
  readonly commandMs: number[];
  readonly callMs: number[];
  /** From `resume` until more had been done than before the kill. */
  readonly goesOnMs: number[];
  kills: number;
  wallMs: number;
  processorMs: number;
};

export const tree: Case = async (project, { options, note }) => {
  const shape = shapeOf(options.treeLeaves);
  const branches = shape.limbs * shape.branches;
  const leaves = branches * shape.leaves;
  const total = 1 + shape.limbs + branches + leaves;
  const pollMs = Math.min(5_000, Math.max(100, total / 2_000));
  const watched: Watched = { commandMs: [], callMs: [], goesOnMs: [], kills: 0, wallMs: 0, processorMs: 0 };
  const memory = watchMemory(process.pid);
  const inputs = JSON.stringify(shape);
  let args: readonly string[] = ["run", "pipelines/tree.ts", "main", "--inputs", inputs, "--name", name, "--json"];
  for (;;) {
    const ended = await runOnce(project, args, { total, pollMs, watched, note });
    args = ["resume", name, "--json"];
    if (ended === null) continue;
    const failed = Math.floor(leaves / failsEvery);
    checkRun("the tree", ended, {
      output: { succeeded: leaves - failed, failed },
      actions: { total, succeeded: total - failed, failed },
    });
    break;
  }
  const bytes = bytesIn(project.dataDir);
  const peakMib = memory.peakMib();
  return [
    { what: "actions in one run, three levels deep", value: total, unit: "" },
    { what: "killed and resumed", value: watched.kills, unit: "times" },
    { what: "all of it", value: watched.wallMs / 1_000, unit: "s" },
    { what: "actions per second", value: (total / watched.wallMs) * 1_000, unit: "/s" },
    { what: "processor time of all processes", value: (watched.processorMs / total) * 1_000, unit: "µs each" },
    ...(peakMib === null ? [] : [{ what: "most memory of all processes", value: peakMib, unit: "MiB" }]),
    { what: "on disk", value: bytes / total, unit: "bytes an action" },
    ...watched.goesOnMs.map((ms, index) => ({
      what: `goes on after kill ${index + 1} in`,
      value: ms / 1_000,
      unit: "s",
    })),
    ...answers("godwit get run --json", watched.commandMs),
    ...answers("getRun in an open process", watched.callMs),
  ];
};

const answers = (how: string, times: readonly number[]) =>
  times.length === 0
    ? []
    : [
        { what: `"how many failed?" by ${how}, p50`, value: percentile(times, 0.5), unit: "ms" },
        { what: `"how many failed?" by ${how}, longest`, value: Math.max(...times), unit: "ms" },
      ];

type Watch = {
  readonly total: number;
  readonly pollMs: number;
  readonly watched: Watched;
  readonly note: (text: string) => void;
};

/** Until it has ended, or was killed because it was far enough: then null. */
async function runOnce(project: Project, args: readonly string[], { total, pollMs, watched, note }: Watch) {
  const startedAt = performance.now();
  const reapedMs = endedChildrenMs() ?? 0;
  const { process: child, ended } = project.start(args);
  let isOver = false;
  const over = ended.then((end) => {
    isOver = true;
    return end;
  });
  const killAt = killsAt[watched.kills];
  let status: Godwit | null = null;
  let doneAtFirst: number | null = null;
  let runningMs = 0;
  while (!isOver) {
    await Promise.race([over, new Promise((resolve) => setTimeout(resolve, pollMs))]);
    runningMs = Math.max(runningMs, processorMs(process.pid) ?? 0);
    const answer = isOver ? null : await ask(project, watched);
    if (answer === null) continue;
    status ??= await openGodwit({ dataDir: project.dataDir, workers: 1 });
    await askHere(status, watched);
    if (doneAtFirst === null) doneAtFirst = answer.done;
    else if (watched.goesOnMs.length < watched.kills && answer.done > doneAtFirst)
      watched.goesOnMs.push(performance.now() - startedAt);
    note(`godwit, tree: ${answer.done} of ${total} done, ${answer.failed} failed`);
    if (killAt !== undefined && answer.done >= killAt * total && child.kill("SIGKILL")) break;
  }
  const end = await over;
  await status?.close();
  watched.wallMs += performance.now() - startedAt;
  const isKilled = end.code === null;
  // Of workers that died with it nobody was told what they had used; what they were seen to use counts.
  watched.processorMs += isKilled ? runningMs : (endedChildrenMs() ?? 0) - reapedMs;
  if (!isKilled) return end;
  watched.kills++;
  return null;
}

type Progress = { readonly done: number; readonly failed: number };

/** Null as long as there is no such run. */
async function ask(project: Project, { commandMs }: Watched): Promise<Progress | null> {
  const startedAt = performance.now();
  const { code, stdout } = await project.start(["get", "run", name, "--json"]).ended;
  if (code !== 0) return null;
  commandMs.push(performance.now() - startedAt);
  const { actions } = JSON.parse(stdout) as { readonly actions: { readonly [phase: string]: number } };
  const failed = actions.failed ?? 0;
  return { done: (actions.succeeded ?? 0) + failed, failed };
}

async function askHere({ control }: Godwit, { callMs }: Watched): Promise<void> {
  const startedAt = performance.now();
  await control.getRun(scope, name);
  callMs.push(performance.now() - startedAt);
}

/** As the disk has it: blocks, not lengths. */
function bytesIn(path: string): number {
  const { blocks } = lstatSync(path);
  const own = blocks * 512;
  if (!lstatSync(path).isDirectory()) return own;
  return readdirSync(path).reduce((sum, entry) => sum + bytesIn(join(path, entry)), own);
}
