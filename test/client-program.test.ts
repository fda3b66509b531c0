// A program that uses `godwit/client`, as a user would write it, against a real server.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { type DevServer, serveDev } from "./dev-server.ts";
import { makeProject, type Project } from "./project.ts";

const pipeline = `import { condition, environment, File, file } from "godwit";
import { z } from "zod";
const env = environment({ name: "program" });
export const part = env.task({ name: "part", input: z.object({ x: z.int() }), output: z.int() }, async ({ x }) => {
  console.log("part", x);
  return x * 2;
});
export const main = env.task(
  { name: "main", input: z.object({ x: z.int(), since: z.date().optional(), note: file().optional() }), output: z.object({ sum: z.int(), since: z.date(), note: z.string() }) },
  async ({ x, since, note }) => ({ sum: await part({ x }), since: since ?? new Date(0), note: (await note?.text()) ?? "" }),
);
export const asks = env.task({ name: "asks", output: z.boolean() }, async () => condition({ name: "approve", type: "boolean" }));
export const fails = env.task({ name: "fails" }, async () => { throw new RangeError("too far"); });
`;

const program = `import { connect } from "godwit/client";
import { File, TaskError } from "godwit";
import { asks, fails, main } from "./pipeline.ts";
const client = connect();
const run = await client.run(main, { x: 21, since: new Date(1000), note: File.fromText("n.txt", "noted") });
const phases = new Set<string>();
for await (const { run: { phase } } of run.watch()) phases.add(phase);
const { sum, since, note } = await run.outputs();
const lines: string[] = [];
for await (const { text } of run.logs({ action: "part" })) lines.push(text);
const again = await (await run.rerun({ recover: true })).outputs();
const asking = await client.run(asks, {});
for await (const { actions } of asking.watch())
  if (actions.some(({ phase }) => phase === "paused")) await asking.signal("approve", true);
const failure = await (await client.run(fails, {})).outputs().catch((error) => error);
const { version, tasks } = await client.deploy("pipeline.ts");
const named = await client.run("program.main", { x: 2 });
const refused = await client.run("program.main", { y: 2 }).catch((error) => error.message);
console.log(JSON.stringify({
  last: [...phases].at(-1), sum, since: since.getTime(), note, lines, again: again.sum, approved: await asking.outputs(),
  failure: [failure instanceof TaskError, failure.code, failure.message], tasks, named: await named.outputs(), refused,
}));
await client.close();
`;

let server: DevServer;
let project: Project;

before(async () => {
  server = await serveDev();
  project = makeProject();
  symlinkSync(join(import.meta.dirname, ".."), join(project.dir, "node_modules", "godwit"));
  project.write("pipeline.ts", pipeline);
  project.write("program.ts", program);
});

after(async () => {
  await server?.stop();
  project?.remove();
});

test("a program starts its own tasks on a server, with their types, and deployed ones by name", async () => {
  const child = spawn(process.execPath, ["--conditions=source", "program.ts"], {
    cwd: project.dir,
    env: { ...process.env, GODWIT_ENDPOINT: server.endpoint },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  assert.equal(child.exitCode, 0, err);
  assert.deepEqual(JSON.parse(out), {
    last: "succeeded",
    sum: 42,
    since: 1000,
    note: "noted",
    lines: ["part 21"],
    again: 42,
    approved: true,
    failure: [true, "RangeError", "program.fails failed: RangeError: too far"],
    tasks: ["program.part", "program.main", "program.asks", "program.fails"],
    named: { sum: 4, since: "1970-01-01T00:00:00.000Z", note: "" },
    refused: 'The task program.main has no input "y". It has: x, since, note.',
  });
});
