// What a thrown error becomes: whose budget it spends, under which name, with which words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GodwitError } from "../core/error.ts";
import { actionError, NonRecoverableError } from "./errors.ts";

const cause = new Error("ENOSPC: no space left on device, write");

test("what the surroundings did spends the system's retries, and is told once", () => {
  const { code, kind, recoverable, message } = actionError(
    new GodwitError("resource_exhausted", "The disk is full.", { cause }),
  );
  assert.deepEqual(
    { code, kind, recoverable, message },
    { code: "ResourceExhausted", kind: "system", recoverable: true, message: "The disk is full." },
  );
});

test("a mistake in the task that Godwit found is the task's, and no retry mends it", () => {
  const { code, kind, recoverable } = actionError(new GodwitError("invalid_argument", "expected integer"));
  assert.deepEqual({ code, kind, recoverable }, { code: "InvalidArgument", kind: "user", recoverable: false });
});

test("a user's error keeps its class and the words of its causes", () => {
  class TooCold extends Error {}
  const { code, kind, message } = actionError(new TooCold("It froze.", { cause }));
  assert.deepEqual({ code, kind, message }, { code: "TooCold", kind: "user", message: `It froze.: ${cause.message}` });
  assert.equal(actionError(new NonRecoverableError("no")).recoverable, false);
});
