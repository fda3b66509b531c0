// What clients of Flyte's ask for less often: it works, or they are told that it does not.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { flyteServer } from "./server.ts";

test("runs that tasks start, durable time, overrides, pickled code, and where files go; what is missing is said", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const seen = (await server.program("odds.py")) as Record<string, unknown>;
  const { where, base, artifact, apps, wrong, debug, ...rest } = seen;
  const said = { "raw data": rest["raw data"], "no code": rest["no code"], "other project": rest["other project"] };
  assert.deepEqual(rest, {
    spawns: "4",
    waits: ["True", "True", "3"],
    overridden: "dark",
    crowd: 6,
    "pickled code": 8,
    "all code": 10,
    interruptible: 10,
    queue: 10,
    notified: 10,
    ...said,
  });
  assert.match(String(where), /\/runs\/flytesnacks\/development\/.*\/a0\/1\/raw/);
  assert.match(String(said["raw data"]), /\/work\/raw/);
  assert.match(String(said["no code"]), /No module named 'odds'/);
  assert.match(String(said["other project"]), /no project "nowhere"/i);
  assert.match(String(base), /leave out run_base_dir/);
  assert.match(String(wrong), /Expected type: <class 'int'>/);
  assert.match(String(debug), /--debug/);
  for (const missing of [artifact, apps]) assert.match(String(missing), /^ConnectError: This server has no service/);
});

test("a client that takes its code to be here still is told that it is not", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  await server.flyteOk("run", "basics.py", "square", "--x", "2");
  rmSync(join(server.dataDir, "storage", "uploads"), { recursive: true });
  const { code, stdout, stderr } = await server.flyte("run", "basics.py", "square", "--x", "2");
  assert.notEqual(code, 0);
  assert.match((stdout + stderr).replaceAll(/\s+/g, " "), /is not here any more.*flyte delete local-cache/);
});
