// Who is blamed for the end of a worker, and in which words: as tables.
import assert from "node:assert/strict";
import { test } from "node:test";
import { blamed, type HeldState, type Loss, lossError, lossText } from "./loss.ts";

const loss: Loss = { exitCode: null, signal: "SIGKILL", lastWords: null, stderr: [], endedFor: null, oom: null };
const held = (states: string): HeldState[] =>
  states.split(" ").map((state, index) => ({ id: `1/n${index}/1`, state: state as HeldState["state"] }));

const cases: readonly (readonly [
  why: string,
  states: string,
  loss: Partial<Loss>,
  isLoading: boolean,
  blamed: string[],
])[] = [
  ["all that were active", "waiting active sent active", {}, false, ["1/n1/1", "1/n3/1"]],
  ["else the first that was sent", "waiting sent sent", {}, false, ["1/n1/1"]],
  ["but not if code was being loaded", "waiting sent sent", {}, true, []],
  ["nobody, if all only waited", "waiting recording", { exitCode: 1, signal: null }, false, []],
  ["the only one there, if it ended by itself", "waiting", { signal: "SIGSEGV" }, false, ["1/n0/1"]],
  ["not the only one there, if it was killed", "waiting", {}, false, []],
  [
    "who said so, and no other",
    "active active",
    { lastWords: { attempt: { run: 1, action: "n1", attempt: 1 }, message: "bye" } },
    false,
    ["1/n1/1"],
  ],
  ["nobody, if the pool ended it", "active sent", { endedFor: "a neighbour did not stop" }, false, []],
];

for (const [why, states, part, isLoading, expected] of cases) {
  test(`for a worker's end is blamed: ${why}`, () => {
    assert.deepEqual([...blamed(held(states), { ...loss, ...part }, isLoading)], expected);
  });
}

test("a loss says how the process ended and what it said last", () => {
  assert.match(lossText(loss), /^The worker process was killed by SIGKILL \(out of memory\?\)\.$/);
  assert.match(lossText({ ...loss, signal: null, exitCode: 137 }), /killed by SIGKILL/);
  assert.match(lossText({ ...loss, signal: null, exitCode: 139 }), /ended by SIGSEGV/);
  assert.equal(
    lossText({ ...loss, signal: null, exitCode: 7, stderr: ["oh", "    at some (place)", "", "no"] }),
    "The worker process exited with code 7. Its last lines on stderr:\noh\nno",
  );
});

test("a loss may be tried again, at the system's cost", () => {
  const { code, kind, recoverable } = lossError(loss, { location: null, target: { type: "typescript" } });
  assert.deepEqual({ code, kind, recoverable }, { code: "WorkerLost", kind: "system", recoverable: true });
  const full = lossError(
    { ...loss, signal: "SIGABRT", stderr: ["FATAL ERROR: … JavaScript heap out of memory"] },
    { location: null, target: { type: "typescript" } },
  );
  assert.deepEqual([full.code, full.kind, full.recoverable], ["OutOfMemory", "system", true]);
});
