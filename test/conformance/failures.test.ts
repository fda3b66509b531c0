// What fails, in the classes that Flyte's SDK has for it: to a task that has called it, and to a client.
import assert from "node:assert/strict";
import { test } from "node:test";
import { flyteServer } from "./server.ts";

test("a failure reaches parents and clients in its own class, with its code and its words", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const seen = (await server.program("failures.py")) as Record<string, unknown>;
  const { greedy, gone, slow, ...parent } = seen.parent as Record<string, string[]>;
  const user = ["RuntimeUserError", "BaseRuntimeError"];
  assert.deepEqual(parent, {
    refuse: [...user, "Refused", "1 is refused"],
    final: [...user, "NonRecoverableError", "no use trying"],
    third_time: ["none", "2"],
  });
  assert.deepEqual(greedy?.slice(0, 3), ["OOMError", "RuntimeUserError", "OOMKilled"]);
  assert.match(greedy?.[3] ?? "", /its memory of 300Mi.*flyte\.Resources/);
  assert.deepEqual(slow?.slice(0, 2), ["MaxRuntimeExceededError", "TaskTimeoutError"]);
  assert.match(slow?.[3] ?? "", /longer than its timeout of 1000 ms/);
  assert.match(gone?.[3] ?? "", /exited with code 3/);
  const once = { parent: 1, refuse: 1, slow: 1, greedy: 1, gone: 1 };
  assert.deepEqual(seen.attempts, { ...once, final: 1, third_time: 3 });
  assert.deepEqual(seen.some_fail, ["RuntimeUserError", "1", "2", "RuntimeUserError", "4", "5"]);
  assert.deepEqual(seen.falls, ["ActionPhase.FAILED", "4 is refused"]);
  assert.deepEqual(seen.raised, ["RuntimeUserError", "Refused"]);
  assert.deepEqual(seen["first failure"], ["failures.refuse", "Refused"]);
  assert.deepEqual(seen["timed out"], ["MaxRuntimeExceededError", "ActionPhase.TIMED_OUT"]);
});
