// The client against a real server: a process of its own, code that it has never seen.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import type { BlobStore } from "../src/blob/blob.ts";
import { openFileBlobs } from "../src/blob/files.ts";
import { Client } from "../src/client/client.ts";
import type { Manifest } from "../src/core/task.ts";
import { openGodwit } from "../src/godwit.ts";
import { bundleFile, type CodeBundle, storeBundle } from "../src/sdk/bundle.ts";
import { makeProject, type Project } from "./project.ts";

const root = join(import.meta.dirname, "..");

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

let server: ChildProcess;
let far: Project;
let near: Project;
let client: Client;
let bundle: CodeBundle;
let manifest: Manifest;
let blobs: BlobStore;

before(async () => {
  far = makeProject();
  near = makeProject();
  near.write("pipeline.ts", pipeline);
  const started = await serve(far.dir);
  server = started.process;
  client = new Client({ endpoint: started.endpoint });
  bundle = await bundleFile(join(near.dir, "pipeline.ts"), near.dir, { isPortable: true });
  const local = await openGodwit({ dataDir: join(near.dir, ".godwit"), workers: 1 });
  manifest = await local.describe(await storeBundle(bundle, local.blobs), "");
  await local.close();
  blobs = await openFileBlobs(join(near.dir, ".godwit", "blobs"));
  rmSync(join(near.dir, "pipeline.ts"));
});

after(async () => {
  server?.kill("SIGTERM");
  if (server !== undefined) await once(server, "close");
  far?.remove();
  near?.remove();
});

async function serve(dir: string): Promise<{ readonly process: ChildProcess; readonly endpoint: string }> {
  const child = spawn(process.execPath, [join(root, "bin/godwit.js"), "dev", "--port", "0"], {
    cwd: dir,
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    const [endpoint] = /http:\/\/[\w.]+:\d+/.exec(line) ?? [];
    if (endpoint !== undefined) {
      child.stdout?.resume();
      return { process: child, endpoint };
    }
  }
  throw new Error("The server did not start.");
}

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

test("what is not there, and a server that is not there, are told in words", async () => {
  await assert.rejects(client.run("nobody").read(), { code: "not_found", message: /There is no run "nobody"/ });
  await assert.rejects(new Client({ endpoint: "localhost:9" }).run("x").read(), {
    code: "unavailable",
    message: /No server answers at http:\/\/localhost:9/,
  });
});
