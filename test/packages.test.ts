// A run is pinned to the packages that it began with.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { makeProject, type Project, until } from "./project.ts";

const pipeline = `
import { environment, condition } from "godwit";
import { z } from "zod";
import { scale } from "scales";
const env = environment({ name: "pinned" });
export const main = env.task({ name: "main", output: z.int() }, async () => {
  await condition({ name: "go", type: "boolean" });
  return scale(2);
});
`;
const install = (version: string, factor: number): void => {
  project.write(
    "node_modules/scales/package.json",
    JSON.stringify({ name: "scales", version, type: "module", exports: "./scales.js" }),
  );
  project.write("node_modules/scales/scales.js", `export const scale = (x) => x * ${factor};`);
};
let project: Project;
before(() => {
  project = makeProject();
  project.write("pipeline.ts", pipeline);
});
after(() => project.remove());

test("a run does not go on under other versions of its packages, and says what to do", async (t) => {
  install("1.0.0", 10);
  const first = project.start(["run", "pipeline.ts", "--name", "pinned"]);
  t.after(() => first.process.kill("SIGKILL"));
  const isPaused = async (): Promise<boolean> =>
    (await project.run(["get", "actions", "pinned"])).stdout.includes("waiting");
  await until(isPaused, "the condition waits");
  first.process.kill("SIGKILL");
  await first.ended;
  install("2.0.0", 100);
  assert.equal((await project.run(["signal", "pinned", "go", "true"])).code, 0);
  const refused = await project.run(["resume", "pinned", "--json"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stdout + refused.stderr, /scales 1\.0\.0 \(now 2\.0\.0\).*rerun/s);
  const again = await project.run(["rerun", "pinned", "--recover", "--json"]);
  assert.equal(JSON.parse(again.stdout).outputs.o0, 200, again.stderr);
});
