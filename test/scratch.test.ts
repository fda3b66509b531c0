// What a killed worker had put into the system's directory for temporary files goes with the next start.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeProject, until } from "./project.ts";

const project = makeProject();
after(() => project.remove());
project.write(
  "pipeline.ts",
  `import { writeFileSync } from "node:fs";
import { environment, File } from "godwit";
import { z } from "zod";
const env = environment({ name: "kit" });
export const opens = env.task({ name: "opens", input: z.object({ forever: z.boolean() }) }, async ({ forever }) => {
  const path = await File.fromText("a.txt", "a copy").path();
  writeFileSync("opened", process.pid + " " + path);
  if (forever) await new Promise(() => setInterval(() => {}, 1_000));
});
`,
);

test("files that a killed worker had opened are removed when the next engine starts", async () => {
  const TMPDIR = join(project.dir, "temporary");
  mkdirSync(TMPDIR);
  const run = project.start(["run", "pipeline.ts", "--forever", "--workers", "1"], { TMPDIR });
  const opened = join(project.dir, "opened");
  await until(() => existsSync(opened) && readFileSync(opened, "utf8").includes("a.txt"), "the file has been opened");
  const [pid, path = ""] = readFileSync(opened, "utf8").split(" ");
  process.kill(Number(pid), "SIGKILL");
  run.process.kill("SIGKILL");
  await run.ended;
  assert.ok(existsSync(path), "a killed process removes nothing");
  const next = await project.run(["run", "pipeline.ts", "--no-forever", "--workers", "1"], { TMPDIR });
  assert.equal(next.code, 0, next.stderr);
  await until(() => !existsSync(path), "it is removed");
  assert.ok(!readdirSync(TMPDIR).some((name) => name.startsWith("godwit-")));
});
