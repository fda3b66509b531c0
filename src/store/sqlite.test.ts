// The embedded store on a file: the suite, and what only a file has: versions, damage, other processes, kill -9.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type ErrorCode, isGodwitError } from "../core/error.ts";
import { until } from "../testing/until.ts";
import { Connection } from "./connection.ts";
import { schemaVersion } from "./migrations.ts";
import {
  child,
  committed,
  insertAction,
  namesOf,
  putRecord,
  read,
  running,
  sampleEntry,
  sampleRecord,
  sampleRun,
  startRun,
  updateAction,
} from "./sample-rows.suite.ts";
import { migrate } from "./schema.ts";
import { openSqliteStore, sqliteStore } from "./sqlite.ts";
import { storeSuite } from "./store.suite.ts";
import type { Committed, RecordFilter, Store } from "./store.ts";

const program = fileURLToPath(new URL("./committing-process.suite.ts", import.meta.url));

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "godwit-store-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const databasePath = (t: TestContext): string => join(directory(t), "godwit.db");

async function openAt(t: TestContext, path: string, maxSizeBytes?: number): Promise<Store> {
  const store = await openSqliteStore(maxSizeBytes === undefined ? { path } : { path, maxSizeBytes });
  t.after(() => store.close());
  return store;
}

/** For a GodwitError of that code whose message has all these parts. */
const saying =
  (code: ErrorCode, ...parts: readonly string[]) =>
  (error: unknown): boolean => {
    assert.ok(isGodwitError(error), String(error));
    assert.equal(error.code, code);
    for (const part of parts) assert.ok(error.message.includes(part), `"${part}" in: ${error.message}`);
    return true;
  };

storeSuite("sqlite file", (t) => openAt(t, databasePath(t)));

test("a database of a newer version is refused, naming both versions and the way out", async (t) => {
  const path = databasePath(t);
  await (await openAt(t, path)).close();
  const database = new DatabaseSync(path);
  database.exec(`pragma user_version = ${schemaVersion + 5}`);
  database.close();
  const versions = [`has version ${schemaVersion + 5}`, `up to ${schemaVersion}.`];
  await assert.rejects(openSqliteStore({ path }), saying("failed_precondition", path, ...versions, "Upgrade godwit"));
});

test("a file that is no database, is cut short, or is another program's is refused as damaged", async (t) => {
  const path = databasePath(t);
  const damaged = saying("data_loss", path, "godwit doctor");
  writeFileSync(path, "This is not a database, it is a letter.".repeat(100));
  await assert.rejects(openSqliteStore({ path }), damaged);

  rmSync(path);
  await (await openAt(t, path)).close();
  truncateSync(path, 10_000);
  await assert.rejects(openSqliteStore({ path }), damaged);

  rmSync(path);
  const foreign = new DatabaseSync(path);
  foreign.exec("create table recipe (name text)");
  foreign.close();
  await assert.rejects(openSqliteStore({ path }), damaged);
  assert.doesNotMatch(readFileSync(path, "latin1"), /create table run/);
});

test("a directory that cannot be written is named, with what to check", async (t) => {
  const path = join(directory(t), "file", "godwit.db");
  writeFileSync(join(path, ".."), "in the way");
  await assert.rejects(openSqliteStore({ path }), saying("permission_denied", path));
});

test("what is wrong with counts and structures is found", async (t) => {
  const path = databasePath(t);
  const store = await openAt(t, path);
  await startRun(store, sampleRun(), [child("a1")]);
  assert.deepEqual(await store.verify(), []);
  const database = new DatabaseSync(path);
  database.exec("update phase_count set n = 5 where parent <> 0; update run set last_revision = 1");
  database.close();
  const found = (await store.verify()).join("\n");
  assert.match(found, /queued actions in children of action 1 of run 7 is kept as 5, but there are 1/);
  assert.match(found, /Run 7 has actions of a later revision/);
});

test("a full disk fails only the commits that do not fit, and those before it stay", async (t) => {
  const path = databasePath(t);
  const store = await openAt(t, path, 400_000);
  await startRun(store, sampleRun());
  const large = (digest: string) => store.commit([{ type: "putDocument", digest, text: "x".repeat(1_000_000) }]);
  const results = await Promise.allSettled([
    store.commit([insertAction(child("a1"))]),
    large("d"),
    store.commit([insertAction(child("a2"))]),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  await assert.rejects(large("e"), {
    code: "resource_exhausted",
    message: /no space left.*free some space.*godwit resume/,
  });
  assert.partialDeepStrictEqual(await store.commit([insertAction(child("a3"))]), committed);
  assert.deepEqual(namesOf(await store.listActions({ run: 7, parent: "a0" }, 9)), ["a1", "a2", "a3"]);
  assert.deepEqual(await store.verify(), []);
});

test("no operation scans a table or sorts rows", async (t) => {
  const connection = new Connection({ path: ":memory:" });
  migrate(connection);
  const store = sqliteStore(connection, null);
  t.after(() => store.close());
  await askEverything(store);
  const plans = connection.plans();
  assert.ok(plans.size > 40, "the statements were seen");
  for (const [sql, plan] of plans) {
    // The lists that a caller gives, and the few engines, may be walked.
    const walked = plan.replaceAll(/SCAN (wanted|json_each|found|walked|urgency|level|engine|sqlite_master)\b/g, "");
    assert.doesNotMatch(walked, /SCAN|TEMP B-TREE/, `${sql}\n${plan}`);
    // All of a run, or of a parent, is too much as well; but the claim index begins with the deepest.
    const whole = /INDEX (?!action_claim)action_\w+ \((run|parent)=\?\)/;
    assert.doesNotMatch(walked, whole, `${sql}\n${plan}`);
  }
});

async function askEverything(store: Store): Promise<void> {
  const scope = { project: "default", domain: "development" };
  const key = { run: 7, name: "a1" };
  const reservation = { key: "k", run: 7, action: "a1" };
  await startRun(store, sampleRun(), [child("a1"), child("a2", { phase: "waiting_for_resources", cacheKey: "k" })]);
  const [run] = await store.runsById([7]);
  assert.ok(run);
  await store.commit([
    { type: "updateRun", run },
    { type: "expectAction", key, phase: "queued", attempt: 0 },
    updateAction(running(await read(store, "a1"))),
    {
      type: "insertAttempt",
      attempt: { ...key, attempt: 1, phase: "failed", startedAtMs: 1, endedAtMs: 1, error: null },
    },
    { type: "putDocument", digest: "d", text: "" },
    { type: "putAttachment", attachment: { ...key, kind: "report", attempt: 1, text: "", atMs: 1 } },
    { type: "putCacheEntry", entry: sampleEntry({ key: "k" }) },
    { type: "deleteCacheEntries", keys: ["x"] },
    { type: "reserve", reservation },
    { type: "release", reservation },
    { type: "insertSweep", sweep: key },
    { type: "deleteSweep", sweep: key },
    putRecord(sampleRecord()),
    putRecord(sampleRecord({ kind: "trigger", dueAtMs: 5 })),
  ]);
  const [record] = await store.records([sampleRecord()]);
  assert.ok(record);
  await store.commit([putRecord(record)]);
  await store.commit([{ type: "deleteRecord", record: { ...record, revision: 2 } }]);
  await askRecords(store);
  await store.run("default", "development", "run-7");
  await store.runs(scope, 9);
  await store.runs({ ...scope, task: "penguins.main", phases: ["queued"], order: "oldest" }, 9);
  await store.runs(
    {
      ...scope,
      createdAtMs: { fromMs: 1, beforeMs: 9_000 },
      updatedAtMs: { fromMs: 1, beforeMs: 9_000 },
      taskVersion: "v1",
      caller: "ada",
      nameContains: "run",
      labels: [{ key: "a", value: null }],
      hasPaused: true,
    },
    9,
  );
  await store.counts(7, "a0");
  await store.listActions({ run: 7, parent: "a0", after: { createdAtMs: 1, name: "a0" } }, 9);
  await store.listActions({ run: 7, phases: ["queued"] }, 9);
  await store.listActions({ run: 7, order: "newest", after: { createdAtMs: 1, name: "a0" } }, 9);
  await store.changedActions({ run: 7, afterRevision: 0, limit: 9 });
  await store.attempts(key);
  await store.lanes(7, 9);
  await store.claimable({ run: 7, lane: 0 }, 9_000, 9);
  await store.due([7], 9_000, 9);
  await store.nextMomentMs([7], 0);
  await store.leased([7], "engine", 9);
  await store.waiting(["k"], 9);
  await store.activeChildren({ run: 7, name: "a0" }, 9);
  await store.sweeps([7], 9);
  await store.documents(["d"]);
  await store.attachments([key], "report");
  await store.cacheEntries(["k"]);
  await store.reservations(["k"]);
  await store.listCacheEntries(scope, 9);
  await store.listCacheEntries({ ...scope, task: "penguins.train" }, 9);
  await store.listCacheEntries({ ...scope, keyPrefix: "0a" }, 9);
  await store.cachedTasks(scope, 9);
  await store.register({ id: "e", pid: 1, host: "h", startedAtMs: 1 });
  await store.publish("e", "{}");
  await store.allocate("e", { memory: 1 }, { memory: 1 });
  await store.engines();
  await store.forget(["e"]);
}

async function askRecords(store: Store): Promise<void> {
  for (const order of ["name", "newest", "oldest"] as const) {
    for (const named of [{}, { name: "penguins.main" }, { nameContains: "pen" }]) {
      for (const place of [{}, { project: "default" }, { project: "default", domain: "development" }]) {
        const filter = { kind: "trigger", order, ...place, ...named } as const;
        const { next } = await store.listRecords(filter, 9);
        assert.equal(next, null);
        // The first page's statement and that of later ones.
        const after = order !== "name" ? [2_000, 9] : ["", "", "", ""].slice(exactColumns(filter));
        await store.listRecords({ ...filter, after }, 9);
      }
    }
  }
  assert.equal((await store.dueRecords("trigger", 9_000, 9)).length, 1);
  assert.equal(await store.nextDueRecordMs("trigger"), 5);
}

const exactColumns = (filter: RecordFilter): number =>
  [filter.project, filter.domain, filter.domain && filter.name].filter((value) => value !== undefined).length;

test("two stores on one file see each other's commits, hear of them, and know each other's engines", async (t) => {
  const path = databasePath(t);
  const [one, two] = [await openAt(t, path), await openAt(t, path)];
  const heard: (Committed | null)[] = [];
  two.onChange((committed) => heard.push(committed));
  await startRun(one, sampleRun(), [child("a1")]);
  const [seenByOne, seenByTwo] = [await read(one, "a1"), await read(two, "a1")];
  assert.partialDeepStrictEqual(await one.commit([updateAction(running(seenByOne))]), committed);
  assert.deepEqual(await two.commit([updateAction(running(seenByTwo))]), { type: "conflict", at: 0 });
  await until("the second store hears of the first", () => heard.includes(null));

  const engine = { id: "one", pid: process.pid, host: "here", startedAtMs: 1 };
  await one.register(engine);
  assert.deepEqual(await two.engines(), [{ ...engine, isLive: true, status: null }]);
  await assert.rejects(two.register(engine), { code: "already_exists" });
  // Looking must not take the lock away.
  assert.deepEqual(await two.engines(), [{ ...engine, isLive: true, status: null }]);
  await one.close();
  assert.deepEqual(await two.engines(), [{ ...engine, isLive: false, status: null }]);
  await two.forget(["one"]);
  assert.deepEqual(await two.engines(), []);
});

test("a quiet database tells its listeners nothing, nor does a commit of one's own twice", async (t) => {
  const path = databasePath(t);
  const [one, other] = [await openAt(t, path), await openAt(t, path)];
  const heard: (readonly number[] | null)[] = [];
  one.onChange((committed) => heard.push(committed && [...committed.runs.keys()]));
  await startRun(one, sampleRun());
  assert.deepEqual(heard, [[7]]);
  await other.commit([insertAction(child("a1"))]);
  await until("the other's commit is heard", () => heard.length > 1);
  assert.deepEqual(heard, [[7], null]);
});

/** The program, and the lines it has printed. */
function startCommitting(t: TestContext, path: string, engine: string, total: number) {
  const process_ = spawn(process.execPath, ["--conditions=source", program, path, engine, String(total)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => process_.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface({ input: process_.stdout }).on("line", (line) => lines.push(line));
  return { process: process_ as ChildProcess, lines };
}

test("processes that open a new file at once and commit to one run lose nothing of each other", async (t) => {
  const path = databasePath(t);
  const store = await openAt(t, path);
  await startRun(store, sampleRun());
  const writers = ["x", "y"].map((engine) => startCommitting(t, path, engine, 150));
  const codes = await Promise.all(writers.map(({ process }) => once(process, "close")));
  assert.deepEqual(codes, [
    [0, null],
    [0, null],
  ]);
  for (const { lines } of writers) assert.equal(lines.length, 151);
  const actions = await store.listActions({ run: 7 }, 10_000);
  assert.equal(actions.length, 601);
  assert.deepEqual(await store.counts(7, "a0"), { queued: 600 });
  assert.equal(new Set(actions.map(({ revision }) => revision)).size, 601);
  assert.deepEqual(await store.verify(), []);
});

test("many processes may make the database at once", async (t) => {
  const path = databasePath(t);
  const openers = ["x", "y", "z"].map((engine) => startCommitting(t, path, engine, 0));
  const codes = await Promise.all(openers.map(({ process }) => once(process, "close")));
  assert.deepEqual(
    codes,
    openers.map(() => [0, null]),
  );
  assert.deepEqual(await (await openAt(t, path)).verify(), []);
});

test("kill -9 loses no acknowledged commit, tears none, and its engine is dead at once", async (t) => {
  const path = databasePath(t);
  await startRun(await openAt(t, path), sampleRun());
  for (let round = 0; round < 6; round++) {
    const { process, lines } = startCommitting(t, path, `e${round}`, 1_000_000);
    const enough = 2 + Math.floor(Math.random() * 150);
    await until(`${enough} commits are acknowledged`, () => lines.length >= enough);
    const store = await openAt(t, path);
    const engine = async () => (await store.engines()).find(({ id }) => id === `e${round}`);
    assert.equal((await engine())?.isLive, true);
    process.kill("SIGKILL");
    await once(process, "close");
    assert.equal((await engine())?.isLive, false);

    const acknowledged = lines.filter((line) => line !== "ready");
    assert.deepEqual(
      acknowledged.filter((line) => line.startsWith("refused")),
      [],
    );
    const keys = acknowledged.flatMap((name) => [name, `${name}-twin`]).map((name) => ({ run: 7, name }));
    assert.equal((await store.actions(keys)).length, keys.length, `round ${round}`);
    const all = new Set(namesOf(await store.listActions({ run: 7, parent: "a0" }, 10_000)));
    for (const name of all) assert.ok(name.endsWith("-twin") || all.has(`${name}-twin`), `${name} came whole`);
    assert.deepEqual(await store.verify(), []);
    await store.close();
  }
});
