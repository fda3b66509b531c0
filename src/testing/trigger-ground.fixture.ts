// What tests of triggers stand on: control and the automation over one store, with runs that end when they
// are told to.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { BlobStore } from "../blob/blob.ts";
import { type Control, type NewTrigger, openControl, type Scope } from "../control/control.ts";
import { type Action, isTerminal, step } from "../core/action.ts";
import type { CatchUp, Overlap, Automation as When } from "../core/automation.ts";
import { rootName } from "../core/names.ts";
import { defaultRetries } from "../core/retry.ts";
import type { Run } from "../core/run.ts";
import type { Manifest, TaskSpec } from "../core/task.ts";
import { cronTicks } from "../cron/cron.ts";
import { Automation } from "../engine/automation.ts";
import type { SendNotice } from "../engine/notices.ts";
import { changesOf } from "../engine/parts.ts";
import type { Store } from "../store/store.ts";
import { FakeClock } from "./clock.ts";
import { memoryBlobs } from "./memory-blob.ts";

export const scope: Scope = { project: "p", domain: "d", caller: "ada" };
export const startMs = Date.UTC(2026, 0, 1);
export const minuteMs = 60_000;
export const at = (minute: number): number => startMs + minute * minuteMs;

const input = (name: string, simple: "integer" | "datetime" | "string", required: boolean) => ({
  name,
  type: { type: "simple", simple } as const,
  required,
  description: null,
  defaultText: null,
});

export const spec: TaskSpec = {
  name: "env.report",
  shortName: "report",
  environment: "env",
  description: null,
  location: null,
  interface: { inputs: [input("when", "datetime", false), input("n", "integer", true)], outputs: [] },
  target: { type: "typescript" },
  resources: { cpuMillis: 1_000, memoryBytes: null },
  retries: defaultRetries,
  timeouts: { attemptMs: null, queuedMs: null, deadlineMs: null },
  cache: { type: "off" },
  env: {},
  code: { type: "unknown", reason: "a test" },
};

export const manifest: Manifest = { bundle: "bundle", entry: "test.ts", tasks: [spec] };

/** Every minute, with the time as an input, unless said otherwise. */
export const newTrigger = (more: Partial<NewTrigger> = {}): NewTrigger => ({
  task: spec.name,
  name: "nightly",
  description: "",
  automation: every(1),
  inputs: { n: { type: "integer", value: "3" } },
  isActive: true,
  expectedRevision: null,
  manifest,
  source: { file: "test.ts", projectDir: "/project" },
  taskVersion: "v1",
  ...more,
});

type Scheduled = Extract<When, { readonly type: "schedule" }>;

export const every = (everyMinutes: number, catchUp: CatchUp = "all", overlap: Overlap = "allow"): Scheduled => ({
  type: "schedule",
  schedule: { type: "rate", everyMinutes, startAtMs: startMs },
  timeInput: "when",
  catchUp,
  overlap,
});

export type Ground = {
  readonly store: Store;
  readonly control: Control;
  readonly automation: Automation;
  readonly clock: FakeClock;
  readonly problems: readonly string[];
  /** Looks once, at that moment. */
  lookAt(atMs: number): Promise<void>;
  /** Every run, the oldest first. */
  runs(): Promise<readonly Run[]>;
  /** The moments for which runs were started, in their order. */
  ticks(): Promise<readonly number[]>;
  end(run: string, how?: "succeeded" | "failed"): Promise<void>;
};

export type GroundOptions = {
  readonly store: Store;
  readonly blobs?: BlobStore;
  readonly clock?: FakeClock;
  readonly send?: SendNotice;
};

export function triggerGround(options: GroundOptions): Ground {
  const { store, blobs = memoryBlobs(), clock = new FakeClock(startMs) } = options;
  const send: SendNotice = options.send ?? (async () => ({ type: "taken" }));
  const problems: string[] = [];
  const nowMs = (): number => clock.nowMs();
  const control = openControl({
    store,
    blobs,
    logs: { read: () => assert.fail("nobody asked for logs") },
    nowMs,
    randomBytes,
    onAbort: () => {},
    starter: () => null,
  });
  const onProblem = (text: string): void => {
    problems.push(text);
  };
  const automation = new Automation({ store, blobs, clock, cron: cronTicks(), send, onProblem });
  const runs = async (): Promise<readonly Run[]> =>
    (await store.runs({ project: scope.project, domain: scope.domain, order: "oldest" }, 1_000)).items;
  return {
    store,
    control,
    automation,
    clock,
    problems,
    runs,
    lookAt: async (atMs) => {
      clock.advanceTo(atMs);
      await automation.runOnce(atMs);
    },
    ticks: async () => (await runs()).map(({ origin }) => origin.runStartAtMs).sort((a, b) => a - b),
    end: async (name, how = "succeeded") => endRun({ store, nowMs }, name, how),
  };
}

type Ending = { readonly store: Store; readonly nowMs: () => number };

/** As an engine would: claimed, then ended; from wherever a crash has left it. */
async function endRun({ store, nowMs }: Ending, name: string, how: "succeeded" | "failed"): Promise<void> {
  const run = await store.run(scope.project, scope.domain, name);
  assert.ok(run !== null, `there is a run ${name}`);
  const policy = { retries: defaultRetries, timeouts: spec.timeouts };
  const root = async (): Promise<Action> => (await store.actions([{ run: run.id, name: rootName }]))[0] as Action;
  const queued = await root();
  const claimed = step(queued, policy, { type: "claimed", owner: "e", cacheStatus: "off" }, nowMs());
  if (claimed !== queued) await store.commit([{ type: "updateAction", action: claimed }]);
  const running = await root();
  if (isTerminal(running.phase)) return;
  const error = { code: "ValueError", message: "no birds", kind: "user", recoverable: false } as const;
  const event =
    how === "succeeded"
      ? ({ type: "succeeded", attempt: 1, outputs: { type: "inline", text: "{}" } } as const)
      : ({ type: "failed", attempt: 1, error: { ...error, stack: null, location: null, origin: null } } as const);
  const changed = await changesOf({ store, nowMs }, running, policy, event);
  assert.ok(changed !== null);
  assert.equal((await store.commit(changed.changes)).type, "committed");
}
