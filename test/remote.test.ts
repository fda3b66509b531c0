// The client against a real server: a process of its own, code that it has never seen.
import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import type { BlobStore } from "../src/blob/blob.ts";
import { openFileBlobs } from "../src/blob/files.ts";
import { Client } from "../src/client/client.ts";
import type { RunView } from "../src/control/control.ts";
import type { Manifest } from "../src/core/task.ts";
import { openGodwit } from "../src/godwit.ts";
import { bundleFile, type CodeBundle, storeBundle } from "../src/sdk/bundle.ts";
import { type DevServer, serveDev } from "./dev-server.ts";
import { makeProject, type Project } from "./project.ts";

const pipeline = `import { condition, environment } from "godwit";
import { z } from "zod";

const env = environment({ name: "far" });

export const part = env.task({ name: "part", input: z.object({ x: z.int() }), output: z.int() }, async ({ x }) => {
  console.log("part of", x);
  return x * 2;
});
export const main = env.task(
  { name: "main", input: z.object({ x: z.int(), names: z.array(z.string()).default([]) }), output: z.object({ sum: z.int(), text: z.string() }) },
  async ({ x, names }) => {
    const parts = await Promise.all([part({ x }), part({ x: x + 1 })]);
    return { sum: parts.reduce((a, b) => a + b, 0), text: names.join(" ") };
  },
);
export const asks = env.task({ name: "asks", output: z.boolean() }, async () => condition({ name: "approve", type: "boolean" }));
export const fails = env.task({ name: "fails" }, async () => { throw new RangeError("out of range"); });
`;

let server: DevServer;
let near: Project;
let client: Client;
let bundle: CodeBundle;
let manifest: Manifest;
let blobs: BlobStore;

before(async () => {
  near = makeProject();
  near.write("pipeline.ts", pipeline);
  server = await serveDev();
  client = new Client({ endpoint: server.endpoint });
  bundle = await bundleFile(join(near.dir, "pipeline.ts"), near.dir, { isPortable: true });
  const local = await openGodwit({ dataDir: join(near.dir, ".godwit"), workers: 1 });
  manifest = await local.describe(await storeBundle(bundle, local.blobs), "");
  await local.close();
  blobs = await openFileBlobs(join(near.dir, ".godwit", "blobs"));
  rmSync(join(near.dir, "pipeline.ts"));
});

after(async () => {
  await server?.stop();
  near?.remove();
});

const specOf = (name: string) => {
  const spec = manifest.tasks.find((task) => task.shortName === name);
  assert(spec !== undefined);
  return spec;
};

test("a task of a file runs on the server: its calls, its outputs, what it printed", async () => {
  const code = await client.sendCode(bundle);
  const run = await client.start(
    { type: "sent", spec: specOf("main"), code },
    {
      x: { type: "integer", value: "20" },
      names: { type: "collection", elements: [{ type: "string", value: "ada" }] },
    },
    blobs,
  );
  const seen = new Set<string>();
  let last = null;
  for await (const update of run.watch()) {
    for (const action of update.actions) seen.add(action.label);
    last = update.run;
  }
  assert.deepEqual([...seen].sort(), ["main", "part"]);
  assert.equal(last?.phase, "succeeded");
  assert.deepEqual(last?.counts, { succeeded: 3 });
  const { outputs, inputs } = await run.values(await run.action());
  assert.deepEqual(outputs, { sum: { type: "integer", value: "82" }, text: { type: "string", value: "ada" } });
  assert.equal(inputs.x?.type, "integer");
  const { items } = await run.actions(100);
  const part = items.find(({ label }) => label === "part");
  const lines = [];
  for await (const { line } of run.logs(part?.name ?? "", 1, { follow: true, signal: new AbortController().signal }))
    lines.push(line.text);
  assert.match(lines.join("\n"), /^part of 2[01]$/);
});

test("a condition is answered, and a failure is told with its class and words", async () => {
  const code = await client.sendCode(bundle);
  const run = await client.start({ type: "sent", spec: specOf("asks"), code }, {}, blobs);
  for await (const { actions } of run.watch()) {
    const paused = actions.find(({ phase }) => phase === "paused");
    if (paused !== undefined) await run.signal(await run.action(paused.name), true);
  }
  assert.deepEqual((await run.values(await run.action())).outputs, { o0: { type: "boolean", value: true } });
  const failing = await client.start({ type: "sent", spec: specOf("fails"), code }, {}, blobs);
  assert.equal((await failing.ended()).phase, "failed");
  const { action } = await failing.action();
  assert.deepEqual([action.error?.code, action.error?.message], ["RangeError", "out of range"]);
});

test("who watches goes on watching when the server is killed and another takes its place", async () => {
  const code = await client.sendCode(bundle);
  const run = await client.start({ type: "sent", spec: specOf("asks"), code }, {}, blobs);
  const phases: string[] = [];
  for await (const { run: at, actions } of run.watch()) {
    phases.push(at.phase);
    const paused = actions.find(({ phase }) => phase === "paused");
    if (paused === undefined) continue;
    await server.replace();
    await run.signal(await run.action(paused.name), true);
  }
  assert.equal(phases.at(-1), "succeeded");
});

test("what is asked while a server is being started anew waits for it; where none ever answered it does not", async () => {
  const code = await client.sendCode(bundle);
  const run = await client.start(
    { type: "sent", spec: specOf("main"), code },
    { x: { type: "integer", value: "1" } },
    blobs,
  );
  const stranger = new Client({ endpoint: client.connection.endpoint });
  let asked: Promise<PromiseSettledResult<RunView>[]> = Promise.resolve([]);
  await server.replace(() => {
    asked = Promise.allSettled([run.read(), stranger.run(run.name).read()]);
  });
  const [read, refused] = await asked;
  assert.equal(read?.status === "fulfilled" ? read.value.task : read?.reason, "far.main");
  assert.match(refused?.status === "rejected" ? String(refused.reason) : "answered", /No server answers at/);
});

test("a deployed task runs by its name; its version is what it was, and a promoted one is the same", async () => {
  const code = await client.sendCode(bundle);
  for (const spec of manifest.tasks) await client.deploy(spec, code, "v1");
  for (const spec of manifest.tasks) await client.deploy(spec, code, "v1");
  const task = await client.task("far.main");
  assert.equal(task.version, "v1");
  const run = await client.start({ type: "deployed", task }, { x: { type: "integer", value: "1" } }, blobs);
  assert.equal((await run.ended()).phase, "succeeded");
  await client.promote("far.main", "v1", "production");
  const production = new Client({ endpoint: client.connection.endpoint, domain: "production" });
  const promoted = await production.start(
    { type: "deployed", task: await production.task("far.main") },
    { x: { type: "integer", value: "1" } },
    blobs,
  );
  assert.equal((await promoted.ended()).phase, "succeeded");
});

test("a run is done again with the code that it had, and recovered", async () => {
  const code = await client.sendCode(bundle);
  const inputs = { x: { type: "integer", value: "3" } } as const;
  const first = await client.start({ type: "sent", spec: specOf("main"), code }, inputs, blobs);
  await first.ended();
  const again = await client.rerun(first.name);
  assert.equal((await again.ended()).phase, "succeeded");
  const recovered = await client.rerun(first.name, { related: { run: first.name, recovers: true } });
  assert.equal((await recovered.ended()).phase, "succeeded");
  const { items } = await recovered.actions(100);
  assert.deepEqual(items.map(({ label, phase }) => `${label} ${phase}`).sort(), [
    "main succeeded",
    "part recovered",
    "part recovered",
  ]);
});

test("the same version with other content is refused, and it is said what differs", async () => {
  await client.deploy(specOf("part"), await client.sendCode(bundle), "v2");
  near.write("pipeline.ts", pipeline.replace("x * 2", "x * 3"));
  const other = await bundleFile(join(near.dir, "pipeline.ts"), near.dir, { isPortable: true });
  await assert.rejects(client.deploy(specOf("part"), await client.sendCode(other), "v2"), {
    name: "GodwitError",
    code: "failed_precondition",
    message: /already has a version v2 .*\n.*code.* →/,
  });
});

test("the command line deploys, runs by name, and shows what there is on the server", async () => {
  near.write("pipeline.ts", pipeline);
  const env = { GODWIT_ENDPOINT: client.connection.endpoint };
  const godwit = async (...words: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await near.run(words, env);
    assert.equal(code, 0, `godwit ${words.join(" ")}\n${stderr}`);
    return stdout;
  };
  assert.match(await godwit("deploy", "pipeline.ts", "--version", "c1"), /✓ far\.main c1\n/);
  assert.match(await godwit("get", "tasks", "--remote"), /far\.main +c1/);
  const ran = JSON.parse(await godwit("run", "--remote", "--task", "far.main", "--x", "4", "--json"));
  assert.deepEqual([ran.phase, ran.outputs], ["succeeded", { sum: 18, text: "" }]);
  const started = JSON.parse(await godwit("run", "--remote", "pipeline.ts", "main", "--x", "5", "--json"));
  assert.deepEqual([started.phase, started.outputs.sum, started.actions.total], ["succeeded", 22, 3]);
  assert.equal(JSON.parse(await godwit("get", "run", started.run, "--remote", "--json")).task, "far.main");
  assert.equal(JSON.parse(await godwit("get", "actions", started.run, "--remote", "--json")).length, 3);
  assert.match(await godwit("logs", started.run, "--remote"), /part of 5/);
  const again = JSON.parse(await godwit("rerun", started.run, "--remote", "--json"));
  assert.equal(again.outputs.sum, 22);
  assert.match(await godwit("promote", "far.main", "c1", "--to", "staging"), /far\.main c1 is in default\/staging/);
  for (const beginning of ["run named", "run named (has ended before)"]) {
    const named = await near.run(["run", "--remote", "pipeline.ts", "main", "--x", "6", "--name", "named"], env);
    assert.equal(named.stderr.split("\n")[0] || named.stdout.split("\n")[0], beginning);
  }
  const bad = await near.run(["run", "--remote", "pipeline.ts", "main", "--x", "five"], env);
  assert.equal(bad.code, 2);
  assert.match(bad.stderr, /--x: expected an integer, got "five"\.\nSee godwit run pipeline\.ts main --help\n/);
  const named = await near.run(["run", "--remote", "--task", "far.main", "--version", "c1", "--x", "five"], env);
  const tells = /See (godwit get task far\.main --remote --version c1)\n/.exec(named.stderr)?.[1] ?? named.stderr;
  assert.match(await godwit(...tells.split(" ").slice(1)), /--x/);
  const local = await near.run(["resume", "named", "--remote", "localhost:9"], env);
  assert.match(local.stderr, /unknown option '--remote'/);
});

test("what is not there, and a server that is not there, are told in words", async () => {
  await assert.rejects(client.run("nobody").read(), { code: "not_found", message: /There is no run "nobody"/ });
  await assert.rejects(new Client({ endpoint: "localhost:9" }).run("x").read(), {
    code: "unavailable",
    message: /No server answers at http:\/\/localhost:9/,
  });
});

test("a server that asks for keys is answered with one, and says what is wrong without", async () => {
  const project = makeProject();
  const made = await project.run(["server", "create-key", "ci", "--json"]);
  const { clientId, clientSecret } = JSON.parse(made.stdout) as { clientId: string; clientSecret: string };
  const guarded = project.start(["server", "--auth", "keys", "--port", "0", "--json"]);
  try {
    const [line] = await once(createInterface({ input: guarded.process.stdout as NodeJS.ReadableStream }), "line");
    const { url } = JSON.parse(line) as { url: string };
    const read = (apiKey: string) => new Client({ endpoint: url, apiKey }).run("nobody").read();
    await assert.rejects(read(`${clientId}:${clientSecret}`), { code: "not_found" });
    const flyte = Buffer.from(`host:${clientId}:${clientSecret}:`).toString("base64");
    await assert.rejects(read(flyte), { code: "not_found" });
    await assert.rejects(read(`${clientId}:wrong`), { code: "unauthenticated", message: /no token for the key "ci"/ });
    await assert.rejects(read(""), { code: "unauthenticated" });
  } finally {
    guarded.process.kill("SIGTERM");
    await guarded.ended;
    project.remove();
  }
});
