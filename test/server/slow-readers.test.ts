// Watching a run of many actions as slowly as can be: nothing is missed, and what the reader does not take in is not
// kept for it.
//
//   GODWIT_ACTIONS=100000     so many actions. `npm run test:server`
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Action } from "../../src/core/action.ts";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { until } from "../project.ts";
import { type ServerProcess, serverProcess } from "./process.ts";
import { ask } from "./service.ts";
import { type Stream, Streams } from "./streams.ts";
import { actionId, napInputs, napSpec, runId } from "./valid-requests.ts";

const actions = Number(process.env.GODWIT_ACTIONS ?? 3_000);
/** Traces that come while the readers are at it. */
const later = 200;
/** Of the server's memory, over what it takes for reading as fast as it can. */
const slackBytes = 200_000_000;

const childName = (at: number): string => `child${String(at).padStart(7, "0")}`;

/** A server with a run that is under way, and so many children of it that have succeeded. */
async function withChildren(t: TestContext): Promise<ServerProcess> {
  const server = await serverProcess();
  t.after(() => server.remove());
  await server.start();
  const request = { runId, taskSpec: napSpec(), inputs: napInputs("3600s") };
  assert.equal((await ask(server.url, "workflow.RunService/CreateRun", request)).code, "ok");
  assert.equal(await server.kill("SIGTERM"), 0);
  await insertChildren(server.dataDir);
  await server.start();
  return server;
}

async function insertChildren(dataDir: string): Promise<void> {
  const store = await openSqliteStore({ path: join(dataDir, "godwit.db") });
  const run = await store.run(runId.project, runId.domain, runId.name);
  const [root] = await store.actions([{ run: run?.id as number, name: "a0" }]);
  const ended = { phase: "succeeded", owner: null, dueAtMs: null, attempt: 1, outputs: { type: "inline", text: "{}" } };
  const times = { startedAtMs: root?.createdAtMs, attemptStartedAtMs: root?.createdAtMs, endedAtMs: root?.createdAtMs };
  for (let from = 0; from < actions; from += 5_000)
    await store.commit(
      Array.from({ length: Math.min(5_000, actions - from) }, (_, at) => ({
        type: "insertAction",
        action: { ...root, ...ended, ...times, name: childName(from + at), parent: "a0", depth: 1 } as Action,
      })),
    );
  await store.close();
}

const peakBytes = ({ pid }: ServerProcess): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024;

async function trace(server: ServerProcess, name: string): Promise<void> {
  const times = { startTime: "2026-01-01T00:00:00Z", endTime: "2026-01-01T00:00:01Z" };
  const action = {
    actionId: actionId(name),
    parentActionName: "a0",
    inputUri: "none",
    runOutputBase: "none",
    trace: { name: "later", phase: "ACTION_PHASE_SUCCEEDED", ...times, spec: { interface: {} } },
  };
  const { code, message } = await ask(server.url, "actions.ActionsService/Enqueue", { action });
  assert.equal(code, "ok", message);
}

/** Takes in a little, and waits, until what this returns is called. */
function slowly(stream: Stream): () => void {
  let pausing: NodeJS.Timeout | undefined;
  const timer = setInterval(() => {
    stream.resume();
    pausing = setTimeout(() => stream.pause(), 1);
  }, 5);
  return () => {
    clearInterval(timer);
    clearTimeout(pausing);
    stream.resume();
  };
}

type Update = { readonly actionUpdate?: { readonly actionId: { readonly name: string }; readonly phase: string } };
type Enriched = {
  readonly enrichedActions?: readonly {
    readonly action: { readonly id: { readonly name: string }; readonly status: { readonly phase: string } };
  }[];
};

const toldByUpdates = (stream: Stream): ReadonlyMap<string, string> =>
  new Map(
    (stream.messages as readonly Update[]).flatMap(({ actionUpdate }) =>
      actionUpdate === undefined ? [] : [[actionUpdate.actionId.name, actionUpdate.phase] as const],
    ),
  );

const toldByActions = (stream: Stream): ReadonlyMap<string, string> =>
  new Map(
    (stream.messages as readonly Enriched[]).flatMap(({ enrichedActions = [] }) =>
      enrichedActions.map(({ action }) => [action.id.name, action.status.phase] as const),
    ),
  );

test(`a reader that is slow to take in ${actions} actions misses none, nor what changes meanwhile, and costs no memory`, async (t) => {
  const server = await withChildren(t);
  const streams = new Streams(server.url, { keeps: true });
  t.after(() => streams.close());
  const fastAtMs = performance.now();
  const fast = streams.open("actions.ActionsService/WatchForUpdates", { parentActionId: actionId("a0") });
  await until(() => fast.count() > actions, "the fast one has all", 120_000);
  const fastMs = performance.now() - fastAtMs;
  fast.close();
  const beforeBytes = peakBytes(server);

  const slowAtMs = performance.now();
  const readers = Array.from({ length: 3 }, () => [
    streams.open("actions.ActionsService/WatchForUpdates", { parentActionId: actionId("a0") }),
    streams.open("workflow.RunService/WatchActions", { runId }),
  ]).flat();
  const stops = readers.map(slowly);
  for (let at = 0; at < later; at++) await trace(server, `later${at}`);
  const total = actions + later;
  const told = (): readonly ReadonlyMap<string, string>[] =>
    readers.map((stream, at) => (at % 2 === 0 ? toldByUpdates(stream) : toldByActions(stream)));
  const isComplete = (): boolean =>
    readers.every((stream, at) => stream.count() >= (at % 2 === 0 ? total : total / 1_000));
  await until(isComplete, "each has been told of nearly all", 300_000);
  for (const stop of stops) stop();
  const expected = [...Array(actions).keys()].map(childName).concat([...Array(later).keys()].map((at) => `later${at}`));
  // By name: those that watch the run are told of its root as well, so a number of names says too little.
  await until(
    () => told().every((names) => expected.every((name) => names.has(name))),
    "each has been told of all",
    60_000,
  );
  const slowMs = performance.now() - slowAtMs;
  for (const names of told())
    for (const name of expected) assert.equal(names.get(name), "ACTION_PHASE_SUCCEEDED", name);
  const takenBytes = peakBytes(server) - beforeBytes;
  t.diagnostic(
    `fast ${Math.round(fastMs)} ms; six slow ones ${Math.round(slowMs)} ms, ${Math.round(takenBytes / 1e6)} MB more at the peak of ${Math.round(peakBytes(server) / 1e6)} MB`,
  );
  assert.ok(takenBytes < slackBytes, `${takenBytes} bytes`);
  const abort = { runId, reason: "enough" };
  assert.equal((await ask(server.url, "workflow.RunService/AbortRun", abort)).code, "ok");
  assert.equal(await readers[1]?.ended, "ok", "the run has ended, and so has what tells of it");
});
