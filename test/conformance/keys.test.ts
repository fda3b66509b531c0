// A server that asks for keys, over TLS: Flyte's client has one, and so have the tasks that call back.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { flyteServer } from "./server.ts";

test("a client with a key runs tasks that call tasks, under the key's name; one without is refused", async (t) => {
  const server = await flyteServer(t, "keys");
  if (server === null) return;
  await server.flyteOk("run", "--follow", "--name", "guarded", "basics.py", "nested", "--x", "2");
  assert.match(await server.flyteOk("get", "io", "guarded", "--outputs-only"), /44/);
  assert.match(await server.flyteOk("whoami"), /tests/);
  writeFileSync(join(server.dir, "secret"), "no such secret");
  const { code, stdout, stderr } = await server.flyte("get", "run", "guarded");
  assert.notEqual(code, 0);
  assert.doesNotMatch(stdout + stderr, /basics\.nested/);
});
