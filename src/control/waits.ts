// Why actions do not go on, and what the engines of a data directory say of themselves.
import { type Action, isTerminal } from "../core/action.ts";
import { engineStatusOf } from "../core/engine-status.ts";
import type { ConditionSpec } from "../core/messages.ts";
import type { WaitReason } from "../core/resources.ts";
import type { Run } from "../core/run.ts";
import { signalExamples, type Wait } from "../core/wait.ts";
import { maxRowsPerRead } from "../store/store.ts";
import type { EngineView, Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { getRun } from "./runs.ts";

/** Runs that are looked through for those that an engine serves. */
const maxRuns = 1_000;

const activePhases = ["queued", "running"] as const;

/** Live ones first, then newest first. */
export async function engines(parts: Parts, { project, domain }: Scope): Promise<readonly EngineView[]> {
  const [known, { items: runs }] = await Promise.all([
    parts.store.engines(),
    parts.store.runs({ project, domain, phases: activePhases }, maxRuns),
  ]);
  return known
    .map(
      (engine): EngineView => ({
        ...engine,
        status: engineStatusOf(engine.status),
        runs: runs.filter(({ owner }) => owner === engine.id).map(({ name }) => name),
      }),
    )
    .sort((a, b) => Number(b.isLive) - Number(a.isLive) || b.startedAtMs - a.startedAtMs);
}

/** By action name; an action that is not in it does not wait, or has ended. Few reads, however many actions. */
export async function waitReasons(
  parts: Parts,
  scope: Scope,
  runName: string,
  asked: readonly { readonly name: string }[],
): Promise<ReadonlyMap<string, Wait>> {
  if (asked.length === 0) return new Map();
  const run = await getRun(parts, scope, runName);
  const actions = await parts.store.actions(asked.slice(0, maxRowsPerRead).map(({ name }) => ({ run: run.id, name })));
  const waiting = actions.filter(({ phase }) => !isTerminal(phase));
  if (waiting.length === 0) return new Map();
  const owner = (await parts.store.engines()).find(({ id, isLive }) => isLive && id === run.owner);
  const signals = await signalWaits(parts, run, waiting);
  const duplicates = owner === undefined ? new Map<string, Wait>() : await duplicateWaits(parts, run, waiting);
  const lanes = laneReasons(run, engineStatusOf(owner?.status ?? null)?.waits ?? []);
  const nowMs = parts.nowMs();
  const waitOf = (action: Action): Wait | null => {
    const signal = signals.get(action.name);
    if (signal !== undefined) return signal;
    if (isTerminal(run.phase) || action.type !== "task") return null;
    if (owner === undefined) return { type: "engine", run: run.name };
    if (action.phase === "waiting_for_resources") return duplicates.get(action.name) ?? { type: "turn" };
    if (action.phase !== "queued") return null;
    if (action.readyAtMs > nowMs) return { type: "retry", atMs: action.readyAtMs };
    return lanes.get(action.lane) ?? { type: "turn" };
  };
  return new Map(
    waiting.flatMap((action) => {
      const wait = waitOf(action);
      return wait === null ? [] : [[action.name, wait] as const];
    }),
  );
}

const laneReasons = (
  run: Run,
  waits: readonly { readonly run: number; readonly lane: number; readonly reason: WaitReason }[],
): ReadonlyMap<number, WaitReason> =>
  new Map(waits.filter((wait) => wait.run === run.id).map(({ lane, reason }) => [lane, reason]));

async function signalWaits(parts: Parts, run: Run, actions: readonly Action[]): Promise<ReadonlyMap<string, Wait>> {
  const conditions = actions.filter(({ type, phase }) => type === "condition" && phase === "paused");
  const specs = await parts.documents.specs(conditions.flatMap(({ spec }) => spec ?? []));
  return new Map(
    conditions.map(({ name, label, spec }) => {
      const asked = specs.get(spec ?? "") as ConditionSpec | undefined;
      const example = asked === undefined ? "VALUE" : signalExamples[asked.valueType];
      return [name, { type: "signal", run: run.name, label, example }];
    }),
  );
}

/** Whose result they wait for: that of who has reserved their cache key. */
async function duplicateWaits(parts: Parts, run: Run, actions: readonly Action[]): Promise<ReadonlyMap<string, Wait>> {
  const asking = actions.filter(({ phase }) => phase === "waiting_for_resources");
  const keys = [...new Set(asking.flatMap(({ cacheKey }) => cacheKey ?? []))];
  const reserved = new Map((await parts.store.reservations(keys)).map((each) => [each.key, each]));
  const others = [...new Set([...reserved.values()].map((each) => each.run))].filter((id) => id !== run.id);
  const runs = new Map([run, ...(await parts.store.runsById(others))].map((each) => [each.id, each.name]));
  return new Map(
    asking.flatMap(({ name, cacheKey }) => {
      const holder = reserved.get(cacheKey ?? "");
      const holderRun = holder === undefined ? undefined : runs.get(holder.run);
      if (holder === undefined || holderRun === undefined) return [];
      return [[name, { type: "duplicate", run: holderRun, action: holder.action }] as const];
    }),
  );
}
