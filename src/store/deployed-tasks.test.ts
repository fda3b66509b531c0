// What doctor finds and mends of tasks that are deployed, and what bytes they need.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { sha256Hex } from "../core/hash.ts";
import { putRecord, sampleRecord } from "./sample-rows.suite.ts";
import { openSqliteStore } from "./sqlite.ts";
import { firstReference, openUpkeep, type Upkeep } from "./upkeep.ts";

const spec = JSON.stringify({ target: { type: "typescript", bundle: { digest: sha256Hex("code") } } });
const digest = sha256Hex(spec);

const record = (kind: "task" | "taskVersion", version: string) =>
  sampleRecord({ kind, version: kind === "task" ? "" : version, text: JSON.stringify({ version, digest }) });

/** Two versions of a task, of which the second is the newest. */
async function deployed(t: TestContext, damage: string): Promise<Upkeep> {
  const directory = mkdtempSync(join(tmpdir(), "godwit-deployed-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "godwit.db");
  const store = await openSqliteStore({ path });
  await store.commit([
    { type: "putDocument", digest, text: spec },
    ...[record("taskVersion", "v1"), record("taskVersion", "v2"), record("task", "v2")].map(putRecord),
  ]);
  await store.close();
  const database = new DatabaseSync(path);
  database.exec(damage);
  database.close();
  const upkeep = openUpkeep(path);
  t.after(() => upkeep.close());
  return upkeep;
}

const texts = (upkeep: Upkeep): readonly string[] => upkeep.damages().map(({ text }) => text);

test("sound versions are found sound, and the code that each needs is named", async (t) => {
  const upkeep = await deployed(t, "");
  assert.deepEqual(texts(upkeep), []);
  const found = [];
  for (let place: typeof firstReference | null = firstReference; place !== null; ) {
    const page = upkeep.references(place, 1);
    found.push(...page.items);
    place = page.next;
  }
  assert.deepEqual(
    found.map(({ by, label, runName, needs }) => [by, label, runName, needs]),
    ["v1", "v2"].map((version) => [
      "deployed code",
      "penguins.main",
      version,
      { type: "directory", digest: sha256Hex("code") },
    ]),
  );
});

test("a definition that is missing is told, version by version", async (t) => {
  const upkeep = await deployed(t, "delete from document");
  assert.equal(texts(upkeep).length, 2);
  assert.match(texts(upkeep).join("\n"), /version v1 of the task penguins.main, deployed in default\/development/);
});

test("a newest version that is none is made the last one that is there", async (t) => {
  const upkeep = await deployed(t, "delete from record where kind = 8 and version = 'v2'");
  assert.match(texts(upkeep).join("\n"), /newest version of the task penguins.main/);
  assert.match(upkeep.mendRows().join("\n"), /takes the last that was deployed/);
  assert.deepEqual(texts(upkeep), []);
});

test("a task whose newest version is not kept is listed again", async (t) => {
  const upkeep = await deployed(t, "delete from record where kind = 1");
  assert.equal(texts(upkeep).length, 1);
  upkeep.mendRows();
  assert.deepEqual(texts(upkeep), []);
});
