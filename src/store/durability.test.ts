// What is told when: answers, changes and reads against a disk that is slow, fails, or loses its power.
import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type HeldDisk, heldDisk, powerlessDisk } from "../testing/disk.ts";
import { until } from "../testing/until.ts";
import { Connection } from "./connection.ts";
import { type Log, openLog } from "./log-file.ts";
import { child, committed, insertAction, namesOf, sampleRun, startRun } from "./sample-rows.suite.ts";
import { migrate } from "./schema.ts";
import { openSqliteStore, sqliteStore } from "./sqlite.ts";
import type { Committed, Durability, Store } from "./store.ts";

function databasePath(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "godwit-durability-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return join(path, "godwit.db");
}

/** A store with run 7 on a file, whose log is on that disk. */
async function openOn(t: TestContext, path: string, log: (logPath: string) => Log): Promise<Store> {
  const prepared = await openSqliteStore({ path });
  await startRun(prepared, sampleRun());
  await prepared.close();
  const connection = new Connection({ path });
  migrate(connection);
  const store = sqliteStore(connection, log(`${path}-wal`));
  t.after(() => store.close());
  return store;
}

/** As `openOn`, where all that is there when it is opened is known to be durable. */
async function openHeld(t: TestContext, path: string): Promise<{ readonly store: Store; readonly disk: HeldDisk }> {
  const disk = heldDisk();
  // Else a test that fails would wait for ever to close its store.
  t.after(disk.letGo);
  const store = await openOn(t, path, () => disk.log);
  const first = store.counts(7);
  await until("the first sync", () => disk.syncTotal() === 1);
  disk.end();
  await first;
  return { store, disk };
}

/** Whether the promise has been settled by the time that everything else of now is done. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  return settled;
}

const namesHeard = (heard: readonly (Committed | null)[]): readonly string[] =>
  heard.flatMap((change) => namesOf(change?.actions ?? []));

test("a commit is answered, told and read by people when the disk has it; one only to be written, at once", async (t) => {
  const { store, disk } = await openHeld(t, databasePath(t));
  const heard: (Committed | null)[] = [];
  store.onChange((change) => heard.push(change));

  const synced = store.commit([insertAction(child("synced"))]);
  await until("the sync of the first", () => disk.syncTotal() === 2);
  const counts = store.counts(7);
  assert.partialDeepStrictEqual(await store.commit([insertAction(child("written"))], "written"), committed);
  assert.equal((await store.actions(["synced", "written"].map((name) => ({ run: 7, name })))).length, 2);
  assert.equal(await isSettled(synced), false);
  assert.equal(await isSettled(counts), false);
  assert.deepEqual(heard, []);

  disk.end();
  assert.partialDeepStrictEqual(await synced, committed);
  assert.deepEqual(await counts, { queued: 2 });
  // What needs no sync waits for none of its own.
  assert.deepEqual(namesHeard(heard), ["synced", "written"]);
  assert.equal(disk.syncTotal(), 2);
  assert.deepEqual(await store.counts(7), { queued: 3 });
});

test("what waits while the disk is busy goes together with the next sync", async (t) => {
  const { store, disk } = await openHeld(t, databasePath(t));
  const first = store.commit([insertAction(child("first"))]);
  await until("the sync of the first", () => disk.syncTotal() === 2);
  const few = store.commit([insertAction(child("few"))]);
  assert.equal(await isSettled(few), false);
  const many = store.commit(Array.from({ length: 100 }, (_, at) => insertAction(child(`many-${at}`))));
  assert.equal(await isSettled(many), false);
  // Written beside the sync, though not told of.
  assert.equal(
    (
      await store.actions([
        { run: 7, name: "few" },
        { run: 7, name: "many-99" },
      ])
    ).length,
    2,
  );
  disk.end();
  assert.partialDeepStrictEqual(await first, committed);
  await until("the next sync", () => disk.syncTotal() === 3);
  assert.equal(await isSettled(Promise.race([few, many])), false);
  disk.end();
  assert.partialDeepStrictEqual(await Promise.all([few, many]), [committed, committed]);
  assert.equal(disk.syncTotal(), 3);
});

test("a disk that fails to sync once is believed no more: nothing is acknowledged from then on", async (t) => {
  const { store, disk } = await openHeld(t, databasePath(t));
  const heard: (Committed | null)[] = [];
  store.onChange((change) => heard.push(change));
  const failed = { code: "unavailable", message: /cannot be brought safely to the disk \(EIO.*godwit resume/ };

  const during = assert.rejects(store.commit([insertAction(child("during"))]), failed);
  await until("the sync", () => disk.syncTotal() === 2);
  const waiting = assert.rejects(store.commit([insertAction(child("waiting"))]), failed);
  const reading = assert.rejects(store.counts(7), failed);
  disk.end(new Error("EIO: i/o error, fdatasync"));
  await Promise.all([during, waiting, reading]);
  for (const kind of ["synced", "written"] as const) {
    await assert.rejects(store.commit([insertAction(child("later"))], kind), failed);
  }
  await assert.rejects(store.counts(7), failed);
  assert.deepEqual(heard, []);
  assert.equal(disk.syncTotal(), 2);
});

test("what another process has committed is told only when it is surely durable", async (t) => {
  const path = databasePath(t);
  const { store, disk } = await openHeld(t, path);
  await store.counts(7);
  assert.equal(disk.syncTotal(), 1);
  const other = await openSqliteStore({ path });
  t.after(() => other.close());
  await other.commit([insertAction(child("a1"))], "written");
  const counts = store.counts(7);
  await until("a sync of the other's commit", () => disk.syncTotal() === 2);
  assert.equal(await isSettled(counts), false);
  disk.end();
  assert.deepEqual(await counts, { queued: 2 });
});

test("a power failure at any moment keeps what was acknowledged, and of the rest only what came first", async (t) => {
  const path = databasePath(t);
  let disk: ReturnType<typeof powerlessDisk> | null = null;
  const store = await openOn(t, path, (logPath) => {
    disk = powerlessDisk(logPath, openLog(path));
    return disk.log;
  });
  assert.ok(disk !== null);
  const { synced, afterFailure } = disk as ReturnType<typeof powerlessDisk>;
  const checkpoints = new Connection({ path });
  t.after(() => checkpoints.close());
  const acknowledged: { readonly name: string; readonly durability: Durability }[] = [];
  let next = 0;
  const write = async (): Promise<void> => {
    while (next < 600) {
      const name = `c${next++}`;
      const durability = Math.random() < 0.5 ? "synced" : "written";
      await store.commit([insertAction(child(name)), insertAction(child(`${name}-twin`))], durability);
      acknowledged.push({ name, durability });
    }
  };
  const fail = async (round: number): Promise<void> => {
    const found = join(path, "..", `after-${round}`, "godwit.db");
    const other = await openSqliteStore({ path: found });
    await other.close();
    copyFileSync(path, found);
    writeFileSync(`${found}-wal`, afterFailure(Math.random));
    const kept = acknowledged.filter(({ durability }) => durability === "synced");
    await checkAfterFailure(found, kept);
  };
  const writing = Promise.all(Array.from({ length: 6 }, write));
  for (let round = 0; round < 25; round++) {
    const enough = 20 * (round + 1);
    await until(`${enough} commits`, () => acknowledged.length >= enough);
    if (round % 4 === 3) {
      checkpoints.exec("pragma wal_checkpoint(passive)");
      synced();
    }
    await fail(round);
  }
  await writing;
});

async function checkAfterFailure(path: string, kept: readonly { readonly name: string }[]): Promise<void> {
  const store = await openSqliteStore({ path });
  const found = await store.changedActions({ run: 7, afterRevision: 1, limit: 10_000 });
  assert.deepEqual(
    found.map(({ revision }) => revision),
    found.map((_, at) => at + 2),
    "what is there is what came first",
  );
  assert.equal(found.length % 2, 1, "with its twin");
  const names = new Set(namesOf(found));
  assert.deepEqual(
    kept.filter(({ name }) => !names.has(name)),
    [],
    "what was acknowledged is there",
  );
  assert.deepEqual(await store.verify(), []);
  await store.close();
}

test("the log is moved into the database file beside the commits, and is gone when the store is closed", async (t) => {
  const path = databasePath(t);
  const store = await openSqliteStore({ path });
  t.after(() => store.close());
  await startRun(store, sampleRun());
  const mebibyte = "x".repeat(1024 * 1024);
  for (let at = 0; at < 120; at++) {
    await store.commit(
      [{ type: "putDocument", digest: `d${at}`, text: mebibyte }],
      at % 2 === 0 ? "synced" : "written",
    );
  }
  assert.ok(statSync(`${path}-wal`).size < 100 * 1024 * 1024, "the log started over");
  assert.ok(statSync(path).size > 20 * 1024 * 1024, "the pages are in the database");
  assert.equal((await store.documents(["d0", "d119"])).size, 2);
  assert.deepEqual(await store.verify(), []);
  await store.close();
  assert.equal(existsSync(`${path}-wal`), false);
});
