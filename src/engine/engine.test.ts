// What the engine promises, end to end, in one process: with the real store, control and SDK.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { condition, context, environment, map, NonRecoverableError, TaskError, trace } from "../index.ts";
import { type TestGodwit, testGodwit } from "../testing.ts";

const env = environment({ name: "engine" });
const counts = new Map<string, number>();
const count = (name: string): number => {
  const next = (counts.get(name) ?? 0) + 1;
  counts.set(name, next);
  return next;
};

const double = env.task(
  { name: "double", input: z.object({ n: z.int() }), output: z.object({ twice: z.int() }) },
  ({ n }) => {
    count(`double ${n}`);
    return { twice: n * 2 };
  },
);
const sum = env.task(
  { name: "sum", input: z.object({ numbers: z.array(z.int()) }), output: z.object({ total: z.int() }) },
  async ({ numbers }) => {
    const doubled = await Promise.all(numbers.map((n) => double({ n })));
    return { total: doubled.reduce((total, { twice }) => total + twice, 0) };
  },
);
const flaky = env.task(
  { name: "flaky", input: z.object({ failures: z.int() }), output: z.int(), retries: 2 },
  ({ failures }) => {
    const attempt = count("flaky");
    if (attempt <= failures) throw new RangeError(`failure ${attempt}`);
    return attempt;
  },
);
const hopeless = env.task({ name: "hopeless", retries: 5 }, () => {
  count("hopeless");
  throw new NonRecoverableError("no way");
});
const slow = env.task({ name: "slow", timeout: "10s", retries: 1 }, () => {
  count("slow");
  return new Promise<void>(() => undefined);
});
const cached = env.task(
  {
    name: "cached",
    input: z.object({ n: z.int(), note: z.string().optional() }),
    output: z.int(),
    cache: { auto: true, ignoreInputs: ["note"] },
  },
  ({ n }) => {
    count(`cached ${n}`);
    return n + 1;
  },
);
const twins = env.task({ name: "twins", input: z.object({ n: z.int() }), output: z.array(z.int()) }, ({ n }) =>
  Promise.all([cached({ n, note: "a" }), cached({ n, note: "b" }), cached({ n, note: "c" })]),
);
const asker = env.task({ name: "asker", output: z.string() }, async () => {
  const answer = await condition({ name: "approve", type: "boolean", prompt: "Go on?", timeout: "1d" });
  return answer ? "yes" : "no";
});
const recursive: ReturnType<typeof makeRecursive> = makeRecursive();
function makeRecursive() {
  return env.task(
    { name: "recursive", input: z.object({ depth: z.int() }), output: z.int() },
    async ({ depth }): Promise<number> => (depth === 0 ? 0 : 1 + Number(await recursive({ depth: depth - 1 }))),
  );
}
const steps = env.task({ name: "steps", output: z.array(z.int()), retries: 1 }, async () => {
  const first = await trace("first", () => count("first"));
  const second = await trace("second", () => count("second"));
  if (count("steps") === 1) throw new Error("once");
  return [first, second];
});

describe("engine", () => {
  let godwit: TestGodwit;
  beforeEach(async () => {
    counts.clear();
    godwit = await testGodwit();
  });
  afterEach(() => godwit.close());

  test("a tree of calls runs and its outputs come back typed", async () => {
    const run = await godwit.run(sum, { numbers: [1, 2, 3] });
    assert.deepEqual(await run.outputs(), { total: 12 });
    const actions = await run.actions();
    assert.deepEqual(
      actions.map(({ phase }) => phase),
      ["succeeded", "succeeded", "succeeded", "succeeded"],
    );
  });

  test("a user's error is retried within the budget, with time passing between attempts", async () => {
    const run = await godwit.run(flaky, { failures: 2 });
    assert.equal(await run.outputs(), 3);
    const [root] = await run.actions();
    assert.equal(root?.attempt, 3);
    assert.equal(root?.userFailures, 2);
    assert.ok(godwit.clock.nowMs() > Date.UTC(2026, 0, 1));
  });

  test("when the budget is spent the run fails with the class and message of the last error", async () => {
    const run = await godwit.run(flaky, { failures: 3 });
    await assert.rejects(
      run.outputs(),
      (error: unknown) =>
        error instanceof TaskError && error.code === "RangeError" && error.error.message === "failure 3",
    );
  });

  test("NonRecoverableError is not retried", async () => {
    await assert.rejects((await godwit.run(hopeless)).outputs(), /no way/);
    assert.equal(counts.get("hopeless"), 1);
  });

  test("an attempt's timeout ends it and costs a retry; the last one ends the action as timed out", async () => {
    const run = await godwit.run(slow);
    await assert.rejects(
      (async () => {
        while ((await run.actions())[0]?.phase !== "timed_out") {
          await new Promise((resolve) => setImmediate(resolve));
          godwit.advance("1s");
        }
        return run.outputs();
      })(),
      (error: unknown) => error instanceof TaskError && error.code === "TimedOut",
    );
    assert.equal(counts.get("slow"), 2);
  });

  test("identical cached calls in flight run once, ignored inputs aside, and later runs hit", async () => {
    assert.deepEqual(await (await godwit.run(twins, { n: 1 })).outputs(), [2, 2, 2]);
    assert.equal(counts.get("cached 1"), 1);
    const again = await godwit.run(twins, { n: 1 });
    await again.outputs();
    assert.equal(counts.get("cached 1"), 1);
    assert.equal((await again.actions()).filter(({ cacheStatus }) => cacheStatus === "hit").length, 3);
    const overwriting = await godwit.run(twins, { n: 1 }, { overwriteCache: true });
    await overwriting.outputs();
    assert.ok((counts.get("cached 1") ?? 0) > 1);
  });

  test("a condition waits for its signal, takes only its type, and only one", async () => {
    const run = await godwit.run(asker);
    await run.waitsFor("approve");
    await assert.rejects(run.signal("approve", "yes"), /takes true or false/);
    await run.signal("approve", true);
    assert.equal(await run.outputs(), "yes");
    await assert.rejects(run.signal("approve", true), /does not wait any more/);
  });

  test("a condition that nobody answers times out; its parent, which did not, has failed", async () => {
    const run = await godwit.run(asker);
    await run.waitsFor("approve");
    await assert.rejects(run.outputs(), (error: unknown) => error instanceof TaskError && error.code === "TimedOut");
    assert.deepEqual(
      (await run.actions()).map(({ phase }) => phase),
      ["failed", "timed_out"],
    );
  });

  test("calls may nest far deeper than there are places", async () => {
    assert.equal(await (await godwit.run(recursive, { depth: 200 })).outputs(), 200);
  });

  test("traces are recorded: a second attempt takes their values and does not run them", async () => {
    assert.deepEqual(await (await godwit.run(steps)).outputs(), [1, 1]);
    assert.equal(counts.get("first"), 1);
    assert.equal(counts.get("second"), 1);
  });

  test("map keeps the order, bounds what is in flight, and gives errors or holes as asked", async () => {
    let inFlight = 0;
    let most = 0;
    const odd = env.task({ name: "odd", input: z.object({ n: z.int() }), output: z.int() }, async ({ n }) => {
      most = Math.max(most, ++inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight--;
      if (n % 2 === 0) throw new Error(`${n} is even`);
      return n;
    });
    const inputs = Array.from({ length: 20 }, (_, n) => ({ n }));
    const all = env.task({ name: "all", output: z.array(z.string()) }, async () =>
      (await map(odd, inputs, { concurrency: 3, returnErrors: true })).map((result) =>
        result instanceof TaskError ? result.error.message : String(result),
      ),
    );
    const half = env.task(
      { name: "half", output: z.int() },
      async () => (await map(odd, inputs, { minSuccessRatio: 0.5 })).filter((n) => n !== undefined).length,
    );
    const most60 = env.task(
      { name: "most60", output: z.int() },
      async () => (await map(odd, inputs, { minSuccessRatio: 0.6 })).length,
    );
    assert.deepEqual(
      await (await godwit.run(all)).outputs(),
      inputs.map(({ n }) => (n % 2 === 0 ? `${n} is even` : String(n))),
    );
    assert.ok(most <= 3, `${most} in flight`);
    assert.equal(await (await godwit.run(half)).outputs(), 10);
    await assert.rejects((await godwit.run(most60)).outputs(), /is even/);
  });

  test("a map that gives up ends all of its calls, however many", async () => {
    const never = env.task({ name: "never", input: z.object({ n: z.int() }) }, ({ n }) => {
      if (n % 4 === 0) throw new Error("one of those that are started first fails");
      return new Promise<void>(() => undefined);
    });
    const hopeful = env.task({ name: "hopeful", output: z.int() }, async () => {
      await map(
        never,
        Array.from({ length: 2_500 }, (_, n) => ({ n })),
      ).catch(() => undefined);
      return 1;
    });
    const run = await godwit.run(hopeful);
    assert.equal(await run.outputs(), 1);
    const { counts } = await godwit.control.getRun(
      { project: "default", domain: "development", caller: "test" },
      run.name,
    );
    const { succeeded, failed = 0, aborted = 0, ...others } = counts;
    assert.deepEqual({ succeeded, ended: failed + aborted, others }, { succeeded: 1, ended: 2_500, others: {} });
  });

  test("aborting a run ends every descendant and tells the running code", async () => {
    let told = 0;
    const leaf = env.task(
      { name: "leaf", input: z.object({ n: z.int() }) },
      (_, { signal }) =>
        new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => {
            told++;
            resolve();
          });
        }),
    );
    const parent = env.task({ name: "parent" }, async () => {
      await Promise.all([leaf({ n: 1 }), leaf({ n: 2 }), leaf({ n: 3 })]);
    });
    const run = await godwit.run(parent);
    while ((await run.actions()).filter(({ phase }) => phase === "running").length < 4)
      await new Promise((resolve) => setImmediate(resolve));
    await run.abort("enough");
    await assert.rejects(run.outputs(), /enough/);
    assert.equal(told, 3);
    assert.ok((await run.actions()).every(({ phase }) => phase === "aborted"));
  });

  test("once a run has ended nothing that was queued in it is started", async () => {
    const one = env.task({ name: "one", input: z.object({ n: z.int() }) }, () => void count("one"));
    const crowd = env.task({ name: "crowd" }, async () => {
      await map(
        one,
        Array.from({ length: 5_000 }, (_, n) => ({ n })),
      );
    });
    const run = await godwit.run(crowd);
    while ((counts.get("one") ?? 0) === 0 || (await run.actions()).length < 1_000)
      await new Promise((resolve) => setImmediate(resolve));
    await run.abort("enough");
    const started = counts.get("one") ?? 0;
    await assert.rejects(run.outputs(), /enough/);
    // What was being started when the run ended, of 16 places.
    assert.ok((counts.get("one") ?? 0) <= started + 32, `${started}, then ${counts.get("one")}`);
  });

  test("a task that waits for a call comes to its end when its run is aborted", async () => {
    let end = "";
    const leaf = env.task({ name: "endless" }, () => new Promise<void>(() => undefined));
    const parent = env.task({ name: "waiting" }, async () => {
      await leaf().catch((error: Error) => {
        end = error.message;
      });
    });
    const run = await godwit.run(parent);
    while ((await run.actions()).filter(({ phase }) => phase === "running").length < 2)
      await new Promise((resolve) => setImmediate(resolve));
    await run.abort("enough");
    await assert.rejects(run.outputs(), /enough/);
    while (end === "") await new Promise((resolve) => setImmediate(resolve));
    assert.match(end, /stopped|Aborted/);
  });

  test("a result from the cache shows the report of the action that made it", async () => {
    const told = env.task({ name: "told", output: z.int(), cache: { version: "1" } }, () => {
      context().report.append("<p>told</p>");
      return 1;
    });
    const scope = { project: "default", domain: "development", caller: "test" };
    const reports = [];
    for (let time = 0; time < 2; time++) {
      const run = await godwit.run(told);
      await run.outputs();
      reports.push((await godwit.control.getAction(scope, run.name, "a0")).report);
    }
    assert.match(String(reports[0]), /^[0-9a-f]{64}$/);
    assert.equal(reports[1], reports[0]);
  });

  test("a call that fails before it is awaited can still be caught", async () => {
    const failing = env.task({ name: "failing" }, () => {
      throw new Error("early");
    });
    const patient = env.task({ name: "patient", output: z.string() }, async () => {
      const called = failing();
      await double({ n: 1 });
      await double({ n: 2 });
      return called.then(
        () => "fine",
        (error: TaskError) => error.error.message,
      );
    });
    assert.equal(await (await godwit.run(patient)).outputs(), "early");
  });

  test("a recovering run takes what succeeded and runs the rest", async () => {
    const fragile = env.task({ name: "fragile", output: z.int() }, async () => {
      const { twice } = await double({ n: 21 });
      if (count("fragile") === 1) throw new Error("first time");
      return twice;
    });
    const first = await godwit.run(fragile);
    await assert.rejects(first.outputs(), /first time/);
    const second = await godwit.run(fragile, undefined, { recover: first.name });
    assert.equal(await second.outputs(), 42);
    assert.equal(counts.get("double 21"), 1);
    assert.deepEqual(
      (await second.actions()).map(({ phase }) => phase),
      ["succeeded", "recovered"],
    );
  });

  test("a checkpoint reaches the next attempt and a recovering run", async () => {
    const loop = env.task({ name: "loop", output: z.int(), retries: 1 }, async () => {
      const { checkpoint } = context();
      const state = (await checkpoint.load<{ epoch: number }>()) ?? { epoch: 0 };
      await checkpoint.save({ epoch: state.epoch + 1 });
      if (count("loop") < 4) throw new Error("killed");
      return state.epoch;
    });
    const first = await godwit.run(loop);
    await assert.rejects(first.outputs(), /killed/);
    assert.equal(await (await godwit.run(loop, undefined, { recover: first.name })).outputs(), 3);
  });

  test("one name for two different calls is refused, and so is another call under a name of an earlier attempt", async () => {
    const confused = env.task({ name: "confused" }, async () => {
      await Promise.all([double.override({ name: "same" })({ n: 1 }), double.override({ name: "same" })({ n: 2 })]);
    });
    await assert.rejects(
      (await godwit.run(confused)).outputs(),
      /Two different calls in one task have the name "same"/,
    );
    const fickle = env.task({ name: "fickle", retries: 1 }, async () => {
      await double.override({ name: "step" })({ n: count("fickle") });
      throw new Error("again");
    });
    await assert.rejects(
      (await godwit.run(fickle)).outputs(),
      (error: unknown) => error instanceof TaskError && error.code === "NonDeterministic",
    );
  });

  test("a mock stands in for a task, and its output is checked", async () => {
    godwit.mock(double, ({ n }) => ({ twice: n * 100 }));
    assert.deepEqual(await (await godwit.run(sum, { numbers: [1, 2] })).outputs(), { total: 300 });
    godwit.mock(double, () => ({ twice: 0.5 }));
    await assert.rejects((await godwit.run(sum, { numbers: [1] })).outputs(), /engine\.double: output/);
  });

  test("a call whose input has the wrong type fails at the call and makes no action", async () => {
    const wrong = env.task({ name: "wrong" }, async () => {
      await double({ n: 1.5 });
    });
    const run = await godwit.run(wrong);
    await assert.rejects(run.outputs(), /engine\.double: input n/);
    assert.equal((await run.actions()).length, 1);
  });
});

test("outside a run a task checks its input and just runs", async () => {
  assert.deepEqual(await sum({ numbers: [2] }), { total: 4 });
  await assert.rejects(sum({ numbers: ["2"] as never }), /engine\.sum: input numbers/);
  assert.equal(await trace("plain", () => 3), 3);
  assert.equal(context().attempt, 1);
});

test("a shell task whose input and output share a name is refused where it is defined", () => {
  const shared = z.object({ text: z.string() });
  assert.throws(
    () => env.shell({ name: "shared", input: shared, output: shared, command: "true" }),
    /"text" is an input and an output/,
  );
});
