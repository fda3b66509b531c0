// What a session says of its attempt while calls and traces of it are on their way.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ActionError } from "../core/action.ts";
import type { AttemptState, Call, CallAnswer, CallState, Launch, TaskCalls } from "../core/messages.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { Session } from "./session.ts";
import type { TraceCall } from "./trace-batch.ts";

const callOf = (type: "task" | "trace", name: string): Call => ({ type, name, inputs: { type: "blob" } }) as Call;

const turn = (): Promise<void> => new Promise(setImmediate);

function open(launch: Partial<Launch> = {}) {
  const states: AttemptState[] = [];
  const answers = new Map<string, PromiseWithResolvers<void>>();
  const requests: string[] = [];
  const calls: TaskCalls = {
    call: async (_, asked): Promise<readonly CallAnswer[]> => {
      const answered = Promise.withResolvers<void>();
      requests.push(asked.map(({ name }) => name).join(" "));
      for (const { name } of asked) answers.set(name, answered);
      await answered.promise;
      return asked.map(({ name }) =>
        name === "refused"
          ? { name, refused: { code: "No", message: "no" } as ActionError }
          : { name, phase: "succeeded", attempt: 1, outputs: null, error: null },
      );
    },
    async *follow() {},
    attach: async () => undefined,
    abortCalls: async () => undefined,
  };
  const session = new Session({
    launch: { run: 1, action: "a0", attempt: 1, isRecovery: false, ...launch } as Launch,
    calls,
    blobs: memoryBlobs(),
    stopping: new AbortController(),
    onState: (state) => states.push(state),
    atTurnEnd: queueMicrotask,
  });
  const call = (name: string): Promise<unknown> =>
    new Promise((resolve, reject) =>
      session.call(callOf("task", name), { label: name, owner: null, ended: resolve, failed: reject }),
    );
  const trace = (name: string, text = ""): Promise<unknown> => {
    const result = { startedAtMs: 0, endedAtMs: 0, outputs: { type: "inline", text }, error: null } as const;
    return session.trace({ ...callOf("trace", name), result } as TraceCall);
  };
  return { session, states, requests, call, trace, answer: (name: string) => answers.get(name)?.resolve() };
}

test("one whose trace is on its way says so, and one that waits for a call too says that", async () => {
  const { states, call, trace, answer } = open();
  const first = trace("first");
  assert.deepEqual(states.splice(0), ["recording"]);
  const called = call("child");
  assert.deepEqual(states.splice(0), ["waiting"]);
  await turn();
  answer("child");
  await called;
  assert.deepEqual(states.splice(0), ["recording"]);
  answer("first");
  await first;
  assert.deepEqual(states, ["active"]);
});

test("traces of one turn are one request, up to a bound of their number and size, and each has its own answer", async () => {
  const { requests, trace, answer } = open();
  const both = [trace("one"), trace("refused"), trace("two")];
  const refused = assert.rejects(both[1] as Promise<unknown>, { name: "No" });
  await turn();
  assert.deepEqual(requests.splice(0), ["one refused two"]);
  answer("one");
  await refused;
  assert.deepEqual(
    (await Promise.all([both[0], both[2]])).map((state) => (state as CallState).name),
    ["one", "two"],
  );
  for (let at = 0; at < 1_001; at++) void trace(`n${at}`);
  for (let at = 0; at < 3; at++) void trace(`large${at}`, "x".repeat(200_000));
  await turn();
  assert.deepEqual(
    requests.map((names) => names.split(" ").length),
    [1_000, 3, 1],
  );
});

test("only what may have been recorded before is looked for", () => {
  assert.equal(open().session.hasPast, false);
  assert.equal(open({ attempt: 2 }).session.hasPast, true);
  assert.equal(open({ isRecovery: true }).session.hasPast, true);
});

test("after its end, or a stop, there are no traces", () => {
  const { session } = open();
  session.close();
  assert.throws(() => session.checkOpen("trace late"), /trace late was called after its task had returned/);
});
