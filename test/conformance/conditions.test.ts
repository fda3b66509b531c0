// Tasks that wait for people: answered by the SDK, by Flyte's command line, or by nobody.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../project.ts";
import { flyteServer } from "./server.ts";

test("conditions are listed and answered by client and command line; of another type or too late is told so", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const program = server.program("conditions.py");
  const asked = join(server.dir, "asked.json");
  await until(() => existsSync(asked), "the program waits for an answer", 120_000);
  const { run, who } = JSON.parse(readFileSync(asked, "utf8"));
  assert.match(await server.flyteOk("get", "condition", run), /who/);
  await server.flyteOk("signal", "condition", run, who, "ada");
  const seen = (await program) as { readonly [name: string]: unknown };
  assert.deepEqual(seen.waiting, ["approve", "count", "rate", "who"]);
  assert.deepEqual(seen.paused, [true]);
  assert.match(String(seen["other type"]), /"who" takes a text, not 3/);
  assert.deepEqual(seen.asks, ["True", "12", "0.5", "ada"]);
  assert.equal(seen.impatient, "ConditionTimedoutError");
});
