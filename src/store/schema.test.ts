// Databases of older versions are brought up to date with all that is in them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { Connection } from "./connection.ts";
import { migrations, schemaVersion } from "./migrations.ts";
import {
  child,
  committed,
  insertAction,
  namesOf,
  read,
  running,
  sampleAction,
  sampleRun,
  succeeded,
  updateAction,
} from "./sample-rows.suite.ts";
import { migrate } from "./schema.ts";
import { openSqliteStore } from "./sqlite.ts";
import { settledRow } from "./tables.ts";

/** A file as version 1 left it: a run with a root, two queued calls, one that runs and one that has ended. */
function versionOneFile(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "godwit-schema-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "godwit.db");
  const database = new DatabaseSync(path);
  database.exec(`pragma journal_mode = wal; ${migrations[0]}
    pragma application_id = 0x476f6477; pragma user_version = 1;
    insert into run (id, project, domain, name, task, bundle, source_file, project_dir, phase, created_at_ms, caller,
      overwrites_cache, revision, last_revision)
    values (7, 'default', 'development', 'run-7', 'penguins.main', x'${sampleRun().bundle}', '/home/ada/pipeline.ts',
      '/home/ada', 0, 1000, 'ada', 0, 1, 6);
    insert into phase_count values (7, 0, 0, 3), (7, 0, 3, 1), (7, 0, 5, 1), (7, 1, 0, 2), (7, 1, 3, 1), (7, 1, 5, 1);
    insert into engine values ('e1', 1, 'here', 5)`);
  const insert =
    database.prepare(`insert into action (run, name, parent, depth, type, label, call_group, identity, spec,
      inputs_hash, phase, attempt, user_failures, system_failures, interruptions, owner, ready_at_ms, created_at_ms,
      started_at_ms, attempt_started_at_ms, ended_at_ms, inputs, outputs, revision)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, 1000, 1000, ?, ?, ?, ?, ?, ?)`);
  for (const [at, action] of rows.entries()) {
    const { attempt, owner, startedAtMs, attemptStartedAtMs, endedAtMs } = action;
    insert.run(
      ...settledRow(action, action.parent === null ? null : 1),
      { queued: 0, running: 3, succeeded: 5 }[action.phase as "queued"],
      attempt,
      owner,
      startedAtMs,
      attemptStartedAtMs,
      endedAtMs,
      '{"depth":{"type":"integer","value":"3"}}',
      action.outputs === null ? null : "{}",
      at + 2,
    );
  }
  database.close();
  return path;
}

const rows = [sampleAction({ name: "a0" }), child("a1"), child("a2"), running(child("busy")), succeeded(child("done"))];

test("a database of version 1 is migrated with its rows, and what is queued in it can be claimed", async (t) => {
  const store = await openSqliteStore({ path: versionOneFile(t) });
  t.after(() => store.close());
  assert.deepEqual(await store.runsById([7]), [{ ...sampleRun(), revision: 1 }]);
  assert.deepEqual(
    await store.listActions({ run: 7 }, 9),
    rows.map((action, at) => ({ ...action, revision: at + 2 })),
  );
  assert.deepEqual(await store.counts(7, "a0"), { queued: 2, running: 1, succeeded: 1 });
  assert.deepEqual(await store.lanes(7, 9), [{ run: 7, lane: 0 }]);
  assert.deepEqual(namesOf(await store.claimable({ run: 7, lane: 0 }, 1_000, 9)), ["a1", "a2", "a0"]);
  assert.deepEqual(
    (await store.engines()).map(({ id, status }) => [id, status]),
    [["e1", null]],
  );
  const changes = [updateAction(running(await read(store, "a1"))), insertAction(child("a3", { lane: 5 }))];
  assert.partialDeepStrictEqual(await store.commit(changes), committed);
  assert.deepEqual(await store.verify(), []);
});

test("a migrated database has the very tables and indexes of a new one", (t) => {
  const [old, fresh] = [versionOneFile(t), ":memory:"].map((path) => {
    const connection = new Connection({ path });
    t.after(() => connection.close());
    migrate(connection);
    assert.equal(connection.number("pragma user_version"), schemaVersion);
    return connection.all("select type, name, sql from sqlite_schema order by name");
  });
  assert.deepEqual(old, fresh);
});
