// Database files that are damaged in every page, cut short, or without their log: what can still be read is
// there afterwards, fits together, and the damaged file is kept.
import assert from "node:assert/strict";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isGodwitError } from "../core/error.ts";
import { fileDamage, salvage } from "./salvage.ts";
import {
  child,
  insertAction,
  putRecord,
  sampleEntry,
  sampleRecord,
  sampleRun,
  startRun,
  succeeded,
} from "./sample-rows.suite.ts";
import { openSqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";
import { readWal } from "./wal-file.ts";

const dir = mkdtempSync(join(tmpdir(), "godwit-salvage-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const runTotal = 20;
const childTotal = 30;
const pageBytes = 4_096;
/** Rows of one page: no damaged page may cost more. */
const rowsOfPage = 40;

/** Whole, without a log. */
const whole = join(dir, "whole.db");
/** As a killed process leaves it: nearly all is in the log. */
const logged = join(dir, "logged.db");

before(async () => {
  const path = join(dir, "first", "godwit.db");
  const store = await openSqliteStore({ path });
  for (let id = 1; id <= runTotal; id++) {
    await startRun(store, sampleRun({ id: id * 1_000_003 }));
    const calls = Array.from({ length: childTotal }, (_, n) => succeeded(child(`c${n}`, { run: id * 1_000_003 })));
    assert.equal((await store.commit(calls.map(insertAction))).type, "committed");
    await store.commit([
      { type: "putCacheEntry", entry: sampleEntry({ key: String(id).padStart(64, "0") }) },
      putRecord(sampleRecord({ kind: "image", version: `v${id}` })),
      { type: "putDocument", digest: `manifest-${id}`, text: "x".repeat(2_000) },
      {
        type: "insertAttempt",
        attempt: {
          run: id * 1_000_003,
          name: "c0",
          attempt: 1,
          phase: "failed",
          startedAtMs: 1,
          endedAtMs: 2,
          error: null,
        },
      },
    ]);
  }
  for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, logged + suffix);
  await store.close();
  copyFileSync(path, whole);
});

type Kept = {
  readonly runs: number;
  readonly children: number;
  readonly records: number;
  readonly problems: readonly string[];
};

async function kept(path: string): Promise<Kept> {
  const store = await openSqliteStore({ path });
  try {
    const { items: runs } = await store.runs({ project: "default", domain: "development" }, 1_000);
    let children = 0;
    for (const { id } of runs) children += await childrenOf(store, id);
    const { items: records } = await store.listRecords({ kind: "image", order: "name" }, 1_000);
    return { runs: runs.length, children, records: records.length, problems: await store.verify() };
  } finally {
    await store.close();
  }
}

async function childrenOf(store: Store, run: number): Promise<number> {
  const listed = (await store.listActions({ run, parent: "a0" }, 1_000)).length;
  // The counts tell the same as the rows.
  assert.equal((await store.counts(run, "a0")).succeeded ?? 0, listed);
  return listed;
}

let trials = 0;
/** A directory of its own with the files as they were, damaged. */
function damaged(from: string, damage: (path: string) => void): string {
  const path = join(dir, `trial-${trials++}`, "godwit.db");
  mkdirSync(join(path, ".."));
  for (const suffix of ["", "-wal"]) if (existsSync(from + suffix)) copyFileSync(from + suffix, path + suffix);
  damage(path);
  return path;
}

const keepIn = (path: string): string => join(path, "..", "damaged");

const zeroPage =
  (page: number) =>
  (path: string): void => {
    const bytes = readFileSync(path);
    bytes.fill(0, (page - 1) * pageBytes, page * pageBytes);
    writeFileSync(path, bytes);
  };

test("one page, any page, that is zeroed costs the rows of that page at most", async () => {
  const pages = statSync(whole).size / pageBytes;
  assert.ok(pages > 60, `${pages} pages`);
  for (let page = 1; page <= pages; page++) {
    const path = damaged(whole, zeroPage(page));
    const bytes = readFileSync(path);
    salvage(path, keepIn(path));
    const { runs, children, records, problems } = await kept(path);
    assert.deepEqual(problems, [], `page ${page}`);
    assert.ok(records >= runTotal - rowsOfPage, `page ${page}`);
    const lostRuns = runTotal - runs;
    // A run that is lost takes its actions along.
    assert.ok(lostRuns <= rowsOfPage && children >= (runTotal - lostRuns) * childTotal - rowsOfPage, `page ${page}`);
    if (page === 1) assert.equal(children, runTotal * childTotal);
    assert.deepEqual(readFileSync(join(keepIn(path), "godwit.db")), bytes);
  }
});

test("a file that is cut short keeps the rows before the cut", async () => {
  for (const share of [0.9, 0.7, 0.5]) {
    const path = damaged(whole, (file) => truncateSync(file, Math.floor(statSync(file).size * share)));
    salvage(path, keepIn(path));
    const { runs, problems } = await kept(path);
    assert.deepEqual(problems, []);
    // In so small a file every third page is the first of a table or an index.
    assert.ok(runs >= Math.floor(runTotal * share * 0.4), `${runs} runs of ${share}`);
  }
});

const everything: Kept = { runs: runTotal, children: runTotal * childTotal, records: runTotal, problems: [] };

const lostFiles: { readonly [what: string]: (path: string) => void } = {
  missing: (path) => rmSync(path),
  empty: (path) => truncateSync(path, 0),
};
for (const [what, damage] of Object.entries(lostFiles)) {
  test(`a database that is ${what} is made again from its log, and never opened without`, async () => {
    const path = damaged(logged, damage);
    const log = readFileSync(`${path}-wal`);
    await assert.rejects(
      openSqliteStore({ path }),
      (error) => isGodwitError(error) && error.code === "data_loss" && /godwit doctor --repair/.test(error.message),
    );
    assert.deepEqual(readFileSync(`${path}-wal`), log, "the log is as it was");
    assert.match(fileDamage(path) ?? "", new RegExp(`is ${what}, but its log`));
    salvage(path, keepIn(path));
    assert.deepEqual(await kept(path), everything);
  });
}

const change = (path: string, at: number): void => {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 0x55;
  writeFileSync(path, bytes);
};

test("one damaged record of the log costs what nobody wrote again, not all that came after it", async () => {
  const frames = readWal(`${logged}-wal`)?.frames ?? 0;
  assert.ok(frames > 100);
  for (const share of [0, 0.3, 0.6, 0.9]) {
    const at = 32 + Math.floor(frames * share) * (24 + pageBytes) + 24 + 2_000;
    const path = damaged(logged, (file) => change(`${file}-wal`, at));
    assert.match(fileDamage(path) ?? "", /log .* is damaged: 1 of its \d+ records/);
    salvage(path, keepIn(path));
    const { runs, children, problems } = await kept(path);
    assert.deepEqual(problems, []);
    assert.ok(children >= runs * childTotal - rowsOfPage && runs >= runTotal - rowsOfPage, `${runs} runs, ${children}`);
    assert.ok(runs > runTotal * 0.8, `${runs} runs of ${share}`);
  }
});

test("a log whose first bytes are damaged is read all the same", async () => {
  const path = damaged(logged, (file) => change(`${file}-wal`, 17));
  assert.match(fileDamage(path) ?? "", /is damaged/);
  salvage(path, keepIn(path));
  assert.deepEqual(await kept(path), everything);
});

test("a log that is sound, cut short by a crash or followed by what lay there before is no damage", () => {
  assert.equal(fileDamage(damaged(logged, () => {})), null);
  const torn = damaged(logged, (file) => truncateSync(`${file}-wal`, statSync(`${file}-wal`).size - 1_000));
  assert.equal(fileDamage(torn), null);
  const garbage = damaged(logged, (file) =>
    writeFileSync(`${file}-wal`, Buffer.concat([readFileSync(`${file}-wal`), Buffer.alloc(50_000, 7)])),
  );
  assert.equal(fileDamage(garbage), null);
});

test("while an engine lives the file is left alone", async () => {
  const path = damaged(whole, zeroPage(9));
  const other = await openSqliteStore({ path: join(path, "..", "other.db") });
  await other.register({ id: "living", pid: process.pid, host: "here", startedAtMs: 1 });
  // The lock of this very process counts as its own only for the store that holds it.
  assert.throws(() => salvage(path, keepIn(path)), /1 godwit process serves runs/);
  assert.ok(!readdirSync(join(path, "..")).includes("damaged"));
  await other.close();
  salvage(path, keepIn(path));
});

test("another program's database is left alone", () => {
  const path = damaged(whole, () => {});
  rmSync(path);
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
  const foreign = new DatabaseSync(path);
  foreign.exec("create table recipe (name text)");
  foreign.close();
  assert.throws(() => salvage(path, keepIn(path)), /another program's database/);
  assert.deepEqual(readdirSync(join(path, "..")), ["godwit.db"]);
});
