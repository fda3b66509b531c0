// One task over many inputs: what is asked of those who give the inputs, and what becomes of failures.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { z } from "zod";
import { testGodwit } from "../testing/environment.ts";
import { environment } from "./environment.ts";
import { TaskError } from "./errors.ts";
import { map } from "./map.ts";

const env = environment({ name: "maps" });
const number = z.object({ n: z.int() });
const half = env.task({ name: "half", input: number, output: z.int() }, ({ n }) => {
  if (n % 2 !== 0) throw new RangeError(`${n} is odd`);
  return n / 2;
});

const godwit = await testGodwit();
after(() => godwit.close());

const thrownBy = async (run: { outputs(): Promise<unknown> }): Promise<TaskError["error"]> => {
  const thrown = await run.outputs().then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof TaskError, String(thrown));
  return thrown.error;
};

for (const kind of ["array", "iterable", "async iterable"] as const) {
  test(`a map over an ${kind} gives results in the order of the inputs`, async () => {
    const all = Array.from({ length: 50 }, (_, index) => ({ n: 2 * index }));
    async function* slowly() {
      yield* all;
    }
    const inputs = kind === "array" ? all : kind === "iterable" ? new Set(all) : slowly();
    const mapping = env.task({ name: `over ${kind}`.replaceAll(" ", "_"), output: z.array(z.int()) }, () =>
      map(half, inputs, { concurrency: 7 }),
    );
    assert.deepEqual(
      await (await godwit.run(mapping)).outputs(),
      all.map(({ n }) => n / 2),
    );
  });
}

test("no input is asked for before there is room for its call", async () => {
  let taken = 0;
  let ended = 0;
  let most = 0;
  const counted = env.task({ name: "counted", input: number }, async () => {
    await Promise.resolve();
    ended += 1;
  });
  function* inputs() {
    for (; taken < 40; taken++) {
      most = Math.max(most, taken - ended);
      yield { n: taken };
    }
  }
  const mapping = env.task(
    { name: "mapping", output: z.int() },
    async () => (await map(counted, inputs(), { concurrency: 3 })).length,
  );
  assert.equal(await (await godwit.run(mapping)).outputs(), 40);
  assert.ok(most <= 3, `${most} at once`);
});

test("a failure ends the map at once, though the next input may never come", async () => {
  async function* inputs() {
    yield { n: 1 };
    await new Promise(() => undefined);
  }
  const stuck = env.task({ name: "stuck" }, async () => {
    await map(half, inputs());
  });
  const { code, location } = await thrownBy(await godwit.run(stuck));
  assert.equal(code, "RangeError");
  assert.equal(location?.file, import.meta.filename);
});

test("a mistake in an input is the caller's, at the line of the map, wherever among the inputs it is", async () => {
  for (const wrongAt of [0, 9]) {
    const inputs = Array.from({ length: 10 }, (_, index) => ({ n: index === wrongAt ? 0.5 : 2 }));
    const wrong = env.task({ name: `wrong_at_${wrongAt}` }, async () => {
      await map(half, inputs, { concurrency: 2 });
    });
    const { code, location } = await thrownBy(await godwit.run(wrong));
    assert.equal(code, "InvalidArgument");
    assert.equal(location?.file, import.meta.filename);
    assert.ok(location.line > (wrong.definition.spec().location?.line ?? Number.POSITIVE_INFINITY));
  }
});

test("what fails where inputs are made is thrown as it is, and nothing more is called", async () => {
  function* inputs() {
    yield { n: 2 };
    throw new SyntaxError("no more inputs");
  }
  const broken = env.task({ name: "broken" }, async () => {
    await map(half, inputs());
  });
  assert.equal((await thrownBy(await godwit.run(broken))).code, "SyntaxError");
});

test("a map may lose the part that it is allowed to lose, of inputs that come one by one too", async () => {
  async function* inputs() {
    for (let n = 0; n < 4; n++) yield { n };
  }
  const lossy = (name: string, minSuccessRatio: number) =>
    env.task({ name, output: z.array(z.int().nullable()) }, async () =>
      (await map(half, inputs(), { minSuccessRatio })).map((value) => value ?? null),
    );
  assert.deepEqual(await (await godwit.run(lossy("half_of_them", 0.5))).outputs(), [0, null, 1, null]);
  assert.equal((await thrownBy(await godwit.run(lossy("most_of_them", 0.75)))).code, "RangeError");
});
