// Images that Flyte's client has built by the server: a pip package from the index, and variables.
import assert from "node:assert/strict";
import { test } from "node:test";
import { flyteServer } from "./server.ts";

test("a task of an image with a package of its own has it", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  assert.deepEqual(await server.program("built.py"), { phase: "ActionPhase.SUCCEEDED", output: ["2.0.0", "yes"] });
});
