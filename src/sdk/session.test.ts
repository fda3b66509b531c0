// What a session says of its attempt while calls and traces of it are on their way.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AttemptState, Call, CallAnswer, Launch, TaskCalls } from "../core/messages.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { Session } from "./session.ts";

const callOf = (type: "task" | "trace", name: string): Call => ({ type, name, inputs: { type: "blob" } }) as Call;

function open(launch: Partial<Launch> = {}) {
  const states: AttemptState[] = [];
  const answers = new Map<string, PromiseWithResolvers<void>>();
  const calls: TaskCalls = {
    call: async (_, asked): Promise<readonly CallAnswer[]> => {
      const answered = Promise.withResolvers<void>();
      for (const { name } of asked) answers.set(name, answered);
      await answered.promise;
      return asked.map(({ name }) => ({ name, phase: "succeeded", attempt: 1, outputs: null, error: null }));
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
    atTurnEnd: (work) => work(),
  });
  const call = (name: string): Promise<unknown> =>
    new Promise((resolve, reject) =>
      session.call(callOf("task", name), { label: name, owner: null, ended: resolve, failed: reject }),
    );
  const trace = (name: string): Promise<unknown> =>
    session.trace(callOf("trace", name) as Extract<Call, { type: "trace" }>);
  return { session, states, call, trace, answer: (name: string) => answers.get(name)?.resolve() };
}

test("one whose trace is on its way says so, and one that waits for a call too says that", async () => {
  const { states, call, trace, answer } = open();
  const first = trace("first");
  assert.deepEqual(states.splice(0), ["recording"]);
  const called = call("child");
  assert.deepEqual(states.splice(0), ["waiting"]);
  answer("child");
  await called;
  assert.deepEqual(states.splice(0), ["recording"]);
  answer("first");
  await first;
  assert.deepEqual(states, ["active"]);
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
