// A control over a store in memory, for tests of what it keeps in records.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { noTimeouts } from "../core/action.ts";
import { type ErrorCode, isGodwitError } from "../core/error.ts";
import { defaultRetries } from "../core/retry.ts";
import type { TaskSpec } from "../core/task.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import type { Store } from "../store/store.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import type { Scope } from "./answers.ts";
import { type Control, openControl } from "./control.ts";
import type { SecretKey } from "./secret-key.ts";

export const scope: Scope = { project: "default", domain: "development", caller: "ada" };

export const sampleSpec = (fields: Partial<TaskSpec> = {}): TaskSpec => ({
  name: "numbers.double",
  shortName: "double",
  environment: "numbers",
  description: null,
  location: null,
  interface: { inputs: [], outputs: [] },
  target: { type: "typescript", bundle: { digest: "b".repeat(64), projectDir: "/p" } },
  resources: { cpuMillis: 1_000, memoryBytes: null },
  retries: defaultRetries,
  timeouts: noTimeouts,
  cache: { type: "off" },
  env: {},
  code: { type: "unknown", reason: "a test" },
  ...fields,
});

export type Opened = {
  readonly control: Control;
  readonly store: Store;
  /** Each look at the clock takes a millisecond. */
  readonly nowMs: () => number;
};

export async function openedControl(t: TestContext, secretKey?: SecretKey): Promise<Opened> {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  let now = 1_000;
  const nowMs = () => now++;
  const control = controlOver(store, nowMs, secretKey);
  return { control, store, nowMs };
}

export const controlOver = (store: Store, nowMs: () => number, secretKey?: SecretKey): Control =>
  openControl({
    store,
    blobs: memoryBlobs(),
    logs: { read: () => assert.fail("nobody asked for logs") },
    nowMs,
    randomBytes,
    onAbort: () => {},
    starter: () => null,
    ...(secretKey === undefined ? {} : { secretKey }),
  });

/** For a GodwitError of that code whose message has all these parts. */
export const saying =
  (code: ErrorCode, ...parts: readonly string[]) =>
  (error: unknown): boolean => {
    assert.ok(isGodwitError(error), String(error));
    assert.equal(error.code, code, error.message);
    for (const part of parts) assert.ok(error.message.includes(part), `"${part}" in: ${error.message}`);
    return true;
  };
