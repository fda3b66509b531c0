// Calls as users see them fail: mistakes in the calling code, and what is said of them.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { z } from "zod";
import { testGodwit } from "../testing/environment.ts";
import { environment } from "./environment.ts";
import { TaskError } from "./errors.ts";
import { map } from "./map.ts";

const env = environment({ name: "calls" });
const double = env.task({ name: "double", input: z.object({ n: z.int() }), output: z.int() }, ({ n }) => 2 * n);

const godwit = await testGodwit();
after(() => godwit.close());

const failureOf = async (run: { outputs(): Promise<unknown> }): Promise<TaskError["error"]> => {
  const thrown = await run.outputs().then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof TaskError, String(thrown));
  return thrown.error;
};

test("a mistake in a call is its caller's, and its place is the line of the call", async () => {
  const mistyped = env.task({ name: "mistyped" }, async () => {
    await double({ n: 1.5 });
  });
  const fickle = env.task({ name: "fickle", retries: 1 }, async (_input, { attempt }) => {
    await double.override({ name: "step" })({ n: attempt });
    throw new Error("again");
  });
  for (const task of [mistyped, fickle]) {
    const { location, origin } = await failureOf(await godwit.run(task));
    assert.equal(location?.file, import.meta.filename);
    assert.ok(location.line > (task.definition.spec().location?.line ?? Number.POSITIVE_INFINITY));
    assert.equal(origin, null);
  }
});

test("what a failed call throws has the caller's line in its stack, and its own code", async () => {
  const failing = env.task({ name: "failing", input: z.object({ n: z.int() }) }, () => {
    throw new RangeError("no");
  });
  const leads: boolean[] = [];
  const note = (error: unknown): void => {
    assert.ok(error instanceof TaskError && error.code === "RangeError");
    leads.push(/\n +at async [^\n]*task\.test\.ts:\d+/.test(error.stack ?? ""));
  };
  const caller = env.task({ name: "caller" }, async () => {
    const alone = async () => await failing({ n: 1 });
    await alone().catch(note);
    const together = async () => await Promise.all([double({ n: 1 }), failing({ n: 2 })]);
    await together().catch(note);
    await map(failing, [{ n: 3 }]).catch(note);
  });
  await (await godwit.run(caller)).outputs();
  assert.deepEqual(leads, [true, true, true]);
});

test("a call that failed before it was awaited ends nothing but itself", async () => {
  const late = env.task({ name: "late", output: z.string() }, async () => {
    const call = double({ n: 1.5 });
    await double({ n: 1 });
    return call.then(
      () => "succeeded",
      () => "failed",
    );
  });
  assert.equal(await (await godwit.run(late)).outputs(), "failed");
});

test("a call that nobody awaits is told of, even if the task returned before it was sent", async () => {
  const hasty = env.task({ name: "hasty" }, () => {
    double({ n: 1 });
  });
  const run = await godwit.run(hasty);
  await run.outputs();
  assert.match(
    (await run.log()).join("\n"),
    /1 call had not ended when calls\.hasty returned \(calls\.double for one\)/,
  );
});

test("an ignored input that the task does not have is refused, in a definition and in an override", () => {
  const cache = { auto: true, ignoreInputs: ["labl"] } as const;
  const input = z.object({ label: z.string() });
  assert.throws(() => env.task({ name: "typo", input, cache }, () => undefined), /"labl".* no input.* mean "label"\?/);
  assert.throws(() => double.override({ cache }), /calls\.double: cache\.ignoreInputs names "labl"/);
});
