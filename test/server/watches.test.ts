// Thousands of watches of one server: each is told what changes, memory stays bounded, and when the server ends they
// are told to come again, and miss nothing.
//
//   GODWIT_WATCHES=10000     so many, of each kind a third. `npm run test:server`
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { until } from "../project.ts";
import { type ServerProcess, serverProcess } from "./process.ts";
import { ask } from "./service.ts";
import { type Stream, Streams } from "./streams.ts";
import { actionId, napInputs, napSpec, projectId, runId } from "./valid-requests.ts";

const watches = Number(process.env.GODWIT_WATCHES ?? 900);
/** Of the server's memory, for each: some 60 kB were measured, most of them Node's stream and Connect's call. */
const bytesPerWatch = 150_000;
/** What the server takes for its code and its garbage once it has something to do. */
const warmBytes = 250_000_000;

async function opened(t: TestContext): Promise<ServerProcess> {
  const server = await serverProcess();
  t.after(() => server.remove());
  await server.start();
  return server;
}

const residentBytes = ({ pid }: ServerProcess): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024;

const create = async (server: ServerProcess, name: string, duration = "3600s"): Promise<void> => {
  const request = { runId: { ...runId, name }, taskSpec: napSpec(), inputs: napInputs(duration) };
  assert.equal((await ask(server.url, "workflow.RunService/CreateRun", request)).code, "ok");
};

const abort = async (server: ServerProcess, name: string): Promise<void> => {
  const request = { runId: { ...runId, name }, reason: "enough" };
  assert.equal((await ask(server.url, "workflow.RunService/AbortRun", request)).code, "ok");
};

const kinds: readonly (readonly [method: string, request: unknown, first: number])[] = [
  ["workflow.RunService/WatchActionDetails", { actionId: actionId("a0") }, 1],
  ["actions.ActionsService/WatchForUpdates", { parentActionId: actionId("a0") }, 1],
  ["workflow.RunService/WatchRuns", { projectId }, 1],
];

test(`${watches} watches are open at once: calls go on, each watch is told, and they cost bounded memory`, async (t) => {
  const server = await opened(t);
  await create(server, "run1");
  const beforeBytes = residentBytes(server);
  const streams = new Streams(server.url, { keeps: false });
  t.after(() => streams.close());
  const startedAtMs = performance.now();
  const open: Stream[] = [];
  for (let at = 0; at < watches; at++) {
    const [method, request] = kinds[at % kinds.length] as (typeof kinds)[number];
    open.push(streams.open(method, request));
  }
  const hasBegun = (stream: Stream, at: number): boolean => stream.count() >= (kinds[at % kinds.length]?.[2] ?? 0);
  await until(() => open.every(hasBegun), "each has been told what there is", 120_000);
  const openedMs = performance.now() - startedAtMs;
  const takenBytes = residentBytes(server) - beforeBytes;
  assert.ok(takenBytes < warmBytes + watches * bytesPerWatch, `${takenBytes} bytes`);

  const askedAtMs = performance.now();
  assert.equal((await ask(server.url, "workflow.RunService/GetRunDetails", { runId })).code, "ok");
  const callMs = performance.now() - askedAtMs;
  const seen = open.map((stream) => stream.count());
  const changedAtMs = performance.now();
  await abort(server, "run1");
  // The first kind ends with its action, the third is told of the run; the second has no children to be told of.
  const isTold = (stream: Stream, at: number): boolean =>
    at % 3 === 0 ? stream.end() === "ok" : at % 3 === 1 || stream.count() > (seen[at] as number);
  await until(() => open.every(isTold), "each has been told what changed", 120_000);
  const toldMs = performance.now() - changedAtMs;
  assert.ok(open.every((stream, at) => at % 3 === 0 || stream.end() === null));
  t.diagnostic(
    `opened in ${Math.round(openedMs)} ms, ${Math.round(takenBytes / 1_000 / watches)} kB each, a call takes ${Math.round(callMs)} ms, a change reaches all in ${Math.round(toldMs)} ms`,
  );
  streams.close();
  const isIdle = async (): Promise<boolean> =>
    /^godwit_calls 0$/m.test(await (await fetch(`${server.url}/metrics`)).text());
  await until(isIdle, "the server has forgotten them");
  assert.equal((await ask(server.url, "workflow.RunService/GetRunDetails", { runId })).code, "ok");
});

test("watches end with unavailable when the server ends, go on after its restart, and miss nothing", async (t) => {
  const server = await opened(t);
  await create(server, "run1");
  const streams = new Streams(server.url, { keeps: true });
  t.after(() => streams.close());
  const before = kinds.map(([method, request]) => streams.open(method, request));
  await until(() => before.every((stream) => stream.count() > 0), "each has been told what there is");
  assert.equal(await server.kill("SIGTERM"), 0);
  assert.deepEqual(
    await Promise.all(before.map(({ ended }) => ended)),
    kinds.map(() => "unavailable"),
  );

  await server.start();
  await create(server, "meanwhile", "0.001s");
  await abort(server, "run1");
  const again = new Streams(server.url, { keeps: true });
  t.after(() => again.close());
  const [details, , runs] = kinds.map(([method, request]) => again.open(method, request));
  assert.equal(await details?.ended, "ok");
  assert.match(JSON.stringify(details?.messages.at(-1)), /"ACTION_PHASE_ABORTED"/);
  const toldOf = (name: string, phase: string): boolean =>
    runs?.messages.some((message) => {
      const text = JSON.stringify(message);
      return text.includes(`"name":"${name}"`) && text.includes(phase);
    }) ?? false;
  await until(() => toldOf("run1", "ABORTED") && toldOf("meanwhile", "SUCCEEDED"), "both ends are told of");
});
