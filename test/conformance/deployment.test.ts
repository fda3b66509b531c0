// Deployed tasks, their secrets and their triggers, and the commands about projects.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { flyteServer } from "./server.ts";

test("deployed tasks run by name and version, call one another, and have secrets and triggers", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  await server.flyteOk("deploy", "--version", "v1", "--all", "deployed.py");
  const tasks = ["add", "by_reference", "timed", "wrong_reference"].map((name) => `plain.${name}`);
  assert.deepEqual(await server.program("deployed.py", "first"), {
    secrets: ["api-key", "other"],
    secretive: ["abc", "def", "100"],
    "secrets left": ["api-key"],
    "by reference": 13,
    names: ["add", "by_reference", "renamed"],
    wrong: "RemoteTaskNotFoundError",
    tasks: ["deployed.secretive", ...tasks],
    details: ["v1", "(x: int, y: int = ...) -> o0: int:", ["x"], ["y"]],
    "no version": "RemoteTaskNotFoundError",
    "by version": [15, [true]],
    user: true,
  });
  assert.deepEqual(await server.program("deployed.py", "triggers"), {
    listed: ["asked False", "often False"],
    schedule: ["*/5 * * * *", "Europe/Berlin"],
    active: true,
    left: ["asked"],
    made: ["asked False", "made True"],
    run: ["ActionPhase.SUCCEEDED", "True 7"],
  });
});

test("a version stays what it was: the same again is nothing new, and something else under its name is refused", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const deploy = ["deploy", "--version", "v2", "deployed.py", "plain"];
  await server.flyteOk(...deploy);
  await server.flyteOk(...deploy);
  const file = join(server.dir, "deployed.py");
  const before = readFileSync(file, "utf8");
  writeFileSync(file, before.replace("y: int = 10", "y: int = 11"));
  const { code, stdout, stderr } = await server.flyte(...deploy);
  assert.notEqual(code, 0);
  assert.match(stdout + stderr, /plain\.add[\s\S]*v2/);
  writeFileSync(file, before);
  assert.match(
    await server.flyteOk("run", "--name", "deployed-add", "deployed-task", "plain.add", "--x", "1"),
    /deployed-add/,
  );
  const missing = await server.flyte("run", "deployed-task", "plain.ad", "--x", "1");
  assert.notEqual(missing.code, 0);
});

test("the commands about projects, settings, secrets, triggers and who one is work", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  await server.flyteOk("create", "project", "--id", "birds", "--name", "Birds", "-l", "team=ml");
  assert.match(await server.flyteOk("get", "project"), /birds[\s\S]*flytesnacks|flytesnacks[\s\S]*birds/);
  await server.flyteOk("update", "project", "birds", "--archive");
  assert.doesNotMatch(await server.flyteOk("get", "project"), /birds/);
  assert.match(await server.flyteOk("whoami"), /subject/i);
  assert.match(await server.flyteOk("get", "settings"), /max_action_concurrency|run/);
  await server.flyteOk("create", "secret", "by-hand", "--value", "s3cret");
  assert.doesNotMatch(await server.flyteOk("get", "secret", "by-hand"), /s3cret/);
  await server.flyteOk("delete", "secret", "by-hand");
  const gone = await server.flyte("get", "secret", "by-hand");
  assert.match(gone.stdout + gone.stderr, /by-hand[\s\S]*(not found|no secret)|(not found|no secret)[\s\S]*by-hand/i);
});
