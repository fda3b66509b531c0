// Tasks that call tasks, and what a client of Flyte's reads of their runs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { flyteServer } from "./server.ts";

test("tasks call tasks, together and in groups; runs are read, labelled, found and named as the client asks", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const seen = (await server.program("basics.py")) as Record<string, unknown>;
  const calls = [" basics.both", " basics.nested", " basics.nothing", " basics.square", " basics.square"];
  assert.deepEqual(seen, {
    nested: 44,
    phase: "ActionPhase.SUCCEEDED",
    actions: [...calls, " basics.square", "cubes basics.cube", "cubes basics.cube"],
    parents: 3,
    several: [4, "ADA", [0, 1, 2]],
    inputs: { x: 3, name: "ada" },
    "by name": { o0: 4, o1: "ADA", o2: [0, 1, 2] },
    default: [2, "NOBODY", [0]],
    again: ["succeeded", [2, "NOBODY", [0]], { x: 1, name: "nobody" }],
    nothing: [null],
    settings: { ...(seen.settings as object), run: "chosen-name", project: "flytesnacks", COLOUR: "green" },
    labelled: ["chosen-name"],
    "any label": ["chosen-name"],
    "other label": [],
    "of task": 2,
    succeeded: 5,
    failed: 0,
    mine: 5,
    two: 2,
    newest: "chosen-name",
    twice: "RuntimeUserError: A run with the name 'chosen-name' already exists. Please choose a different name.",
    once: "once",
    "the same twice": "RuntimeUserError: A run with the name 'once' already exists. Please choose a different name.",
  });
  // The context reaches a task that a task has called.
  assert.equal((seen.settings as Record<string, string>).custom, '{"flock": "12"}');
});

test("flyte create config, run and get are enough to run a file and to see what came of it", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const made = ["--endpoint", server.endpoint, "--project", "flytesnacks", "--domain", "development", "--insecure"];
  await server.flyteOk("create", "config", ...made, "--builder", "remote", "--output", "made.yaml");
  const run = await server.flyteOk("-c", "made.yaml", "run", "--name", "by-hand", "basics.py", "both", "--x", "3");
  assert.match(run, /by-hand/);
  await server.flyteOk("-c", "made.yaml", "run", "--follow", "--name", "followed", "basics.py", "several", "--x", "2");
  assert.match(await server.flyteOk("-c", "made.yaml", "get", "io", "followed"), /NOBODY/);
  assert.match(await server.flyteOk("-c", "made.yaml", "get", "action", "by-hand"), /basics\.square/);
  assert.match(await server.flyteOk("-c", "made.yaml", "get", "run", "by-hand"), /basics\.both/);
});
