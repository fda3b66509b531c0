// A run keeps to the code that it was started with, however the files change; new code is asked for.
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeProject, type Project, until } from "./project.ts";

let project: Project;
before(() => {
  project = makeProject();
});
after(() => project.remove());

const version = (name: string): void => project.write("lib.ts", `export const version = (): string => "${name}";`);

const pipeline = `import { existsSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { environment } from "godwit";
import { z } from "zod";
import { version } from "./lib.ts";
const env = environment({ name: "kit" });
export const early = env.task({ name: "early", output: z.string() }, async () => version());
export const gated = env.task({ name: "gated", output: z.string() }, async () => {
  writeFileSync("begun", "");
  while (!existsSync("gate")) await setTimeout(5);
  return version();
});
export const main = env.task({ name: "main", output: z.array(z.string()) }, async () => [await early(), await gated(), version()]);
`;

/** A run whose process was killed when one call was done and one was running. */
async function killed(name: string): Promise<void> {
  for (const file of ["begun", "gate"]) rmSync(join(project.dir, file), { force: true });
  project.write("pipeline.ts", pipeline);
  version("old");
  const { process, ended } = project.start(["run", "pipeline.ts", "main", "--name", name]);
  await until(() => existsSync(join(project.dir, "begun")), "the second call has begun");
  process.kill("SIGKILL");
  await ended;
  version("new");
  writeFileSync(join(project.dir, "gate"), "");
}

async function outputs(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await project.run([...args, "--json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).outputs.o0;
}

test("resume goes on with the recorded code, even if the file is gone or does not parse", async () => {
  await killed("resumed");
  project.write("lib.ts", "export const version = (");
  rmSync(join(project.dir, "pipeline.ts"));
  rmSync(join(project.dir, ".godwit", "bundles"), { recursive: true });
  assert.deepEqual(await outputs("resume", "resumed"), ["old", "old", "old"]);
});

test("run --name goes on with the recorded code and says so; rerun takes the new, or the old if asked", async () => {
  await killed("named");
  const { code, stdout, stderr } = await project.run(["run", "pipeline.ts", "main", "--name", "named"]);
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^run named \(resumed\)\nThe code has changed since this run was started: it goes on with the code recorded then\. New code: godwit rerun named$/m,
  );
  assert.match(stdout, /\["old","old","old"\]/);
  const again = await project.run(["run", "pipeline.ts", "main", "--name", "named"]);
  assert.match(
    again.stdout,
    /\(has ended before\)\nThe code has changed since this run was started: its result is that of/,
  );

  assert.deepEqual(await outputs("rerun", "named"), ["new", "new", "new"]);
  assert.deepEqual(await outputs("rerun", "named", "--recorded-code"), ["old", "old", "old"]);
  assert.deepEqual(await outputs("rerun", "named", "--recover"), ["old", "old", "new"]);
  version("old");
  const same = await project.run(["run", "pipeline.ts", "main", "--name", "named"]);
  assert.doesNotMatch(same.stdout, /has changed/);
});

test("a task that is gone from the file can still be run with the recorded code", async () => {
  project.write("pipeline.ts", pipeline.replace('name: "main"', 'name: "renamed"'));
  const gone = await project.run(["rerun", "named"]);
  assert.equal(gone.code, 2);
  assert.match(
    gone.stderr,
    /kit\.main of the run named is not in .*pipeline\.ts any more.*godwit rerun named --recorded-code/,
  );
  assert.deepEqual(await outputs("rerun", "named", "--recorded-code"), ["old", "old", "old"]);
});
