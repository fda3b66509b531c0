// The attempt whose code is running: the one piece of ambient state of the SDK. It follows the
// asynchronous flow of the task's function, so that many attempts share a process without mixing.
import { AsyncLocalStorage } from "node:async_hooks";
import type { AttemptRef } from "../core/messages.ts";
import { type Context, localContext } from "./context.ts";
import type { Session } from "./session.ts";

export type Current = {
  readonly session: Session;
  readonly context: Context;
  /** Name of the trace whose function is running: a step in which no calls can be made. */
  readonly trace: string | null;
};

const storage = new AsyncLocalStorage<Current>();

/** Null outside a run. */
export const current = (): Current | null => storage.getStore() ?? null;

export const runAs = <T>(attempt: Current, body: () => T): T => storage.run(attempt, body);

export function currentAttempt(): AttemptRef | null {
  const launch = current()?.session.launch;
  return launch === undefined ? null : { run: launch.run, action: launch.action, attempt: launch.attempt };
}

/** The context of the running task; outside a run, one that stands for a first attempt and keeps nothing. */
export function context(): Context {
  return current()?.context ?? localContext("local");
}
