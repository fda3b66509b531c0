// The order in which a worker runs what it was given.
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import { type ActionError, systemError } from "../core/action.ts";
import type { AttemptState, Launch, Outcome } from "../core/messages.ts";
import { Attempts } from "./attempts.ts";

type Started = {
  readonly action: string;
  readonly onState: (state: AttemptState) => void;
  readonly onLoaded: () => void;
  readonly signal: AbortSignal;
  readonly end: PromiseWithResolvers<void>;
};

const errorOf = (thrown: unknown): ActionError => systemError("Thrown", String(thrown));

function worker() {
  const started: Started[] = [];
  const outcomes: string[] = [];
  const attempts = new Attempts({
    run: async ({ run, action, attempt }, { onState, onLoaded }, { signal }): Promise<Outcome> => {
      const end = Promise.withResolvers<void>();
      started.push({ action, onState, onLoaded, signal, end });
      await end.promise;
      return { run, action, attempt, result: { type: "succeeded", outputs: { type: "inline", text: "" } } };
    },
    errorOf,
    onEnd: ({ action }) => outcomes.push(`${action} ends`),
    onReport: () => undefined,
  });
  const names = (): string => started.map(({ action }) => action).join(" ");
  const find = (action: string): Started => started.find((one) => one.action === action) as Started;
  const report = (): string =>
    attempts
      .takeReport()
      .outcomes.map(({ outcome }) => `${outcome.action} ${outcome.result.type}`)
      .join(", ");
  return { attempts, started, outcomes, names, find, report };
}

const launches = (names: string): Launch[] =>
  names.split(" ").map((action) => ({ run: 1, action, attempt: 1 }) as Launch);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

test("the next attempt starts when the one before has ended, or waits for its calls", async () => {
  const { attempts, names, find } = worker();
  attempts.launch(launches("a b c"));
  await turn();
  assert.equal(names(), "a");
  find("a").onState("waiting");
  await turn();
  assert.equal(names(), "a b");
  find("a").onState("active");
  find("b").end.resolve();
  await turn();
  assert.equal(names(), "a b", "one that goes on holds its place again");
  find("a").end.resolve();
  await turn();
  assert.equal(names(), "a b c");
});

test("while traces are recorded others run, and each is measured by what it has of the thread", async () => {
  const { attempts, names, find } = worker();
  const startedAtMs = performance.now();
  attempts.launch(launches("a b c"));
  for (const [index, name] of ["a", "b", "c"].entries()) {
    await turn();
    assert.equal(names(), "a b c".slice(0, 2 * index + 1));
    find(name).onState("recording");
  }
  for (const name of ["a", "b", "c"]) find(name).onState("active");
  const untilMs = performance.now() + 30;
  while (performance.now() < untilMs);
  for (const name of ["a", "b", "c"]) find(name).end.resolve();
  await turn();
  const wholeMs = performance.now() - startedAtMs;
  const sumMs = attempts.takeReport().outcomes.reduce((sum, { stretchMs }) => sum + stretchMs, 0);
  assert.ok(sumMs > 29 && sumMs <= wholeMs + 1, `${sumMs} ms of ${wholeMs}`);
});

test("what the loading of its code took is not what an attempt took", async () => {
  const { attempts, find } = worker();
  attempts.launch(launches("a"));
  await turn();
  const busy = (forMs: number): void => {
    const untilMs = performance.now() + forMs;
    while (performance.now() < untilMs);
  };
  busy(500);
  find("a").onLoaded();
  busy(20);
  find("a").end.resolve();
  await turn();
  const [stretchMs = 0] = attempts.takeReport().outcomes.map((each) => each.stretchMs);
  assert.ok(stretchMs >= 20 && stretchMs < 500, `${stretchMs} ms`);
});

test("a stop ends what has not started, and tells what has", async () => {
  const { attempts, names, find, report } = worker();
  attempts.launch(launches("a b c"));
  await turn();
  attempts.stop(["1/a/1", "1/b/1"], "enough");
  assert.equal(report(), "b interrupted");
  assert.equal(find("a").signal.aborted, true);
  find("a").end.resolve();
  await turn();
  assert.equal(names(), "a c");
  assert.equal(report(), "a succeeded");
});

test("what is recalled comes back, unless it has begun", async () => {
  const { attempts, names, find, report } = worker();
  attempts.launch(launches("a b"));
  await turn();
  attempts.recall(["1/a/1", "1/b/1"]);
  assert.equal(report(), "b interrupted");
  assert.equal(find("a").signal.aborted, false);
  assert.equal(names(), "a");
});

test("an attempt has one outcome: what comes after it was failed counts no more", async () => {
  const { attempts, find, outcomes, report } = worker();
  attempts.launch(launches("a b"));
  await turn();
  assert.equal(attempts.fail({ run: 1, action: "a", attempt: 1 }, errorOf("late")), true);
  find("a").onState("waiting");
  find("a").end.resolve();
  await turn();
  assert.equal(report(), "a failed");
  assert.deepEqual(outcomes, ["a ends"]);
  assert.equal(attempts.fail({ run: 1, action: "a", attempt: 1 }, errorOf("again")), false);
  assert.deepEqual(attempts.soleActive(), { run: 1, action: "b", attempt: 1 });
});

test("states are told once, and not of what has ended since", async () => {
  const { attempts, find } = worker();
  attempts.launch(launches("a"));
  await turn();
  assert.deepEqual(attempts.takeReport().states, [{ attempt: "1/a/1", state: "active" }]);
  find("a").onState("waiting");
  find("a").onState("active");
  assert.deepEqual(attempts.takeReport().states, []);
  find("a").onState("waiting");
  assert.deepEqual(attempts.takeReport().states, [{ attempt: "1/a/1", state: "waiting" }]);
  find("a").end.resolve();
  await turn();
  assert.deepEqual(attempts.takeReport().states, []);
});

test("short attempts share a turn of the event loop, and each has an asynchronous context of its own", async () => {
  const context = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  let turns = 0;
  const attempts = new Attempts({
    run: async ({ run, action, attempt }) => {
      seen.push(context.getStore());
      context.enterWith(action);
      return { run, action, attempt, result: { type: "interrupted" } };
    },
    errorOf,
    onEnd: () => undefined,
    onReport: () => undefined,
  });
  const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
  context.run("the caller", () => attempts.launch(launches(names.join(" "))));
  let ended = 0;
  for (; ended < 20; turns++) {
    await new Promise(setImmediate);
    ended += attempts.takeReport().outcomes.length;
  }
  assert.ok(turns < 10, `it took ${turns} turns`);
  assert.deepEqual(new Set(seen), new Set([undefined]));
});

test("an attempt whose runner throws has failed", async () => {
  const attempts = new Attempts({
    run: () => Promise.reject(new Error("broken")),
    errorOf,
    onEnd: () => undefined,
    onReport: () => undefined,
  });
  attempts.launch(launches("a"));
  await turn();
  const [ended] = attempts.takeReport().outcomes;
  assert.ok(ended?.outcome.result.type === "failed" && ended.outcome.result.error.message === "Error: broken");
});
