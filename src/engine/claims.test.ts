// Which of the queued actions are started, when places are of several kinds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { environment } from "../index.ts";
import { testGodwit } from "../testing.ts";

const env = environment({ name: "claims" });
const napping = env.shell({ name: "napping", input: z.object({ n: z.int() }), command: "sleep 0.02" });
const quick = env.task({ name: "quick" }, () => undefined);
const mixed = env.task({ name: "mixed" }, async () => {
  await Promise.all([...Array.from({ length: 150 }, (_, n) => napping({ n })), quick()]);
});

test("many calls whose executor is full do not keep others from starting", async (t) => {
  const godwit = await testGodwit();
  t.after(() => godwit.close());
  const run = await godwit.run(mixed);
  await run.outputs();
  const actions = await run.actions();
  const end = actions.find(({ label }) => label === "quick")?.revision ?? 0;
  const later = actions.filter(({ label, revision }) => label === "napping" && revision > end);
  assert.ok(
    later.length > 100,
    `${later.length} of 150 commands ended after the call that needed none of their places`,
  );
});
