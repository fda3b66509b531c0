// Actions made by hand, for tests of what is shown.
import { type Action, noTimeouts, queuedAction } from "../core/action.ts";
import { emptyPayload } from "../core/value.ts";

export function action(name: string, parent: string | null, change: Partial<Action> = {}): Action {
  const queued = queuedAction(
    {
      run: 1,
      name,
      parent,
      depth: parent === null ? 0 : 1,
      type: "task",
      label: "train",
      group: null,
      identity: "x",
      spec: null,
      inputs: emptyPayload,
      inputsHash: "x",
      cacheKey: null,
      priority: 0,
      lane: 0,
    },
    noTimeouts,
    0,
  );
  return { ...queued, ...change };
}

export const running = { phase: "running", attempt: 1, startedAtMs: 0 } as const;
export const succeeded = { phase: "succeeded", attempt: 1, startedAtMs: 0, endedAtMs: 1_200 } as const;
export const failed = {
  phase: "failed",
  attempt: 1,
  startedAtMs: 0,
  endedAtMs: 500,
  userFailures: 1,
  error: {
    code: "TypeError",
    message: "x is not a function",
    kind: "user",
    recoverable: true,
    stack: null,
    location: null,
    origin: null,
  },
} as const;
