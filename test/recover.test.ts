// `rerun --recover`: what had succeeded is taken over, what had not is done, also when it was a recovery
// itself that failed.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Ended, makeProject, type Project } from "./project.ts";

let project: Project;
before(() => {
  project = makeProject();
  project.copy("recover.ts");
});
after(() => project.remove());

const outputs = { sum: (199 * 200) / 2 + 1_900, texts: "content 1,content 2", epochs: 5 };
const missing = ["branch 150", "leaf 155", "leaf 156", "leaf 157", "leaf 158", "leaf 159"];

/** What ran, and how it ended. */
async function ran(
  args: readonly string[],
  isMended: boolean,
): Promise<Ended & { readonly bodies: readonly string[] }> {
  const journal = join(project.dir, `journal-${process.hrtime.bigint()}`);
  const env = { JOURNAL: journal, MENDED: isMended ? "1" : "0" };
  project.write(journal.slice(project.dir.length + 1), "");
  const ended = await project.run([...args, "--json", "--quiet"], env);
  return { ...ended, bodies: readFileSync(journal, "utf8").split("\n").filter(Boolean).sort() };
}

function removeBlob(content: string): void {
  const blobs = join(project.dir, ".godwit", "blobs");
  const files = readdirSync(blobs, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  const found = paths.filter((path) => readFileSync(path, "utf8") === content);
  assert.equal(found.length, 1);
  for (const path of found) rmSync(path);
}

test("of 200 actions only those run again that had not succeeded, or whose file is gone", async () => {
  const first = await ran(["run", "recover.ts", "main", "--name", "wide"], false);
  assert.equal(first.code, 1, first.stderr);
  const { actions } = JSON.parse(first.stdout);
  removeBlob("content 2");
  const second = await ran(["rerun", "wide", "--recover", "--name", "wide-2"], true);
  assert.equal(second.code, 0, second.stderr);
  const result = JSON.parse(second.stdout);
  assert.deepEqual(result.outputs, outputs);
  assert.deepEqual(second.bodies, [...missing, "text 2", "train from 5"]);
  // All that succeeded, but for the children of calls that were taken over whole and the file that is gone.
  assert.equal(result.actions.recovered, 19 + 1 + 5 + 1);
  assert.ok(actions.succeeded > 200);
  const third = await ran(["rerun", "wide-2", "--recover"], false);
  assert.deepEqual(third.bodies, [], "all of it is there now");
  assert.deepEqual(JSON.parse(third.stdout).outputs, outputs);
});

test("a recovery that failed is recovered with what the run before it had, checkpoints too", async () => {
  assert.equal((await ran(["run", "recover.ts", "main", "--name", "far"], false)).code, 1);
  const second = await ran(["rerun", "far", "--recover", "--name", "far-2"], false);
  assert.equal(second.code, 1);
  assert.deepEqual(second.bodies, ["branch 150", "leaf 155", "train from 5"]);
  const third = await ran(["rerun", "far-2", "--recover", "--name", "far-3"], true);
  assert.equal(third.code, 0, third.stderr);
  assert.deepEqual(JSON.parse(third.stdout).outputs, outputs);
  assert.deepEqual(third.bodies, [...missing, "train from 5"]);
});

test("a recovery that was ended at once loses nothing of what it would have taken over", async () => {
  assert.equal((await ran(["run", "recover.ts", "main", "--name", "early"], false)).code, 1);
  // The first line says that the run is there; little of it has been done.
  const second = project.start(["rerun", "early", "--recover", "--name", "early-2", "--json"], { MENDED: "1" });
  second.process.stderr?.once("data", () => second.process.kill("SIGKILL"));
  await second.ended;
  assert.equal((await project.run(["abort", "early-2"])).code, 0);
  const third = await ran(["rerun", "early-2", "--recover"], true);
  assert.equal(third.code, 0, third.stderr);
  assert.deepEqual(JSON.parse(third.stdout).outputs, outputs);
  const again = third.bodies.filter((body) => !missing.includes(body) && !body.startsWith("train"));
  assert.deepEqual(again, []);
});
