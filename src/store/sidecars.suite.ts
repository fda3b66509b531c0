// What stands beside actions: attempts, attachments, documents, cache entries, reservations.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AttemptRecord } from "../core/attempt-record.ts";
import { sha256Hex } from "../core/hash.ts";
import { child, committed, type OpenStore, sampleEntry, sampleRun, startRun } from "./sample-rows.suite.ts";
import type { Attachment } from "./store.ts";

export function sidecarSuite(database: string, open: OpenStore): void {
  test(`${database}: attempts are kept with their action, in order`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun(), [child("a1")]);
    const attempt: AttemptRecord = {
      run: 7,
      name: "a1",
      attempt: 1,
      phase: "interrupted",
      startedAtMs: 1,
      endedAtMs: 2,
      error: null,
    };
    const error = {
      code: "E",
      message: "m",
      kind: "user",
      recoverable: true,
      stack: null,
      location: null,
      origin: null,
    } as const;
    const second: AttemptRecord = { ...attempt, attempt: 2, phase: "failed", error };
    await store.commit([{ type: "insertAttempt", attempt: second }]);
    await store.commit([
      { type: "insertAttempt", attempt },
      { type: "insertAttempt", attempt },
    ]);
    assert.deepEqual(await store.attempts({ run: 7, name: "a1" }), [attempt, second]);
    assert.deepEqual(await store.attempts({ run: 7, name: "a0" }), []);
    const stray = store.commit([{ type: "insertAttempt", attempt: { ...attempt, name: "a9" } }]);
    await assert.rejects(stray, { code: "failed_precondition" });
  });

  test(`${database}: a later attachment replaces the earlier one of its kind`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun(), [child("a1")]);
    const first: Attachment = { run: 7, name: "a1", kind: "checkpoint", attempt: 1, text: "{}", atMs: 5 };
    const later: Attachment = { ...first, attempt: 2, text: '{"a":1}', atMs: 6 };
    const report: Attachment = { ...first, kind: "report" };
    const root: Attachment = { ...first, name: "a0" };
    for (const attachment of [first, report, later, root]) await store.commit([{ type: "putAttachment", attachment }]);
    const keys = [
      { run: 7, name: "a1" },
      { run: 7, name: "nobody" },
      { run: 7, name: "a0" },
    ];
    assert.deepEqual(await store.attachments(keys, "checkpoint"), [later, root]);
    assert.deepEqual(await store.attachments(keys, "report"), [report]);
    assert.deepEqual(await store.attachments(keys, "progress"), []);
  });

  test(`${database}: a document is kept once under its digest`, async (t) => {
    const store = await open(t);
    const digest = sha256Hex("x");
    await store.commit([
      { type: "putDocument", digest, text: "x" },
      { type: "putDocument", digest, text: "x" },
    ]);
    await store.commit([{ type: "putDocument", digest: `manifest-${digest}`, text: "m".repeat(1_000_000) }]);
    const read = await store.documents([digest, "absent", `manifest-${digest}`]);
    assert.deepEqual([...read.keys()], [digest, `manifest-${digest}`]);
    assert.equal(read.get(digest), "x");
    assert.equal(read.get(`manifest-${digest}`)?.length, 1_000_000);
  });

  test(`${database}: cache entries are put, replaced, listed newest first, and deleted`, async (t) => {
    const store = await open(t);
    const key = sha256Hex("key");
    const entries = [
      sampleEntry({ key, createdAtMs: 1 }),
      sampleEntry({ key: "other", createdAtMs: 3, task: "penguins.clean" }),
      sampleEntry({ key: "foreign", domain: "production" }),
    ];
    await store.commit(entries.map((entry) => ({ type: "putCacheEntry", entry })));
    const renewed = sampleEntry({ key, createdAtMs: 2, action: "a2", outputs: { type: "inline", text: "{}" } });
    await store.commit([{ type: "putCacheEntry", entry: renewed }]);
    assert.deepEqual(await store.cacheEntries([key, "absent"]), [renewed]);
    const scope = { project: "default", domain: "development" };
    assert.deepEqual(
      (await store.listCacheEntries(scope, 9)).map((entry) => entry.key),
      ["other", key],
    );
    assert.deepEqual(
      (await store.listCacheEntries(scope, 1)).map((entry) => entry.key),
      ["other"],
    );
    assert.deepEqual(await store.listCacheEntries({ ...scope, task: "penguins.train" }, 9), [renewed]);
    for (const length of [1, 11, 64]) {
      const found = await store.listCacheEntries({ ...scope, keyPrefix: key.slice(0, length) }, 9);
      assert.deepEqual(found, [renewed], `${length} digits`);
    }
    const other = key.startsWith("0") ? "1" : "0";
    assert.deepEqual(await store.listCacheEntries({ ...scope, keyPrefix: other }, 9), []);
    assert.deepEqual(await store.cachedTasks(scope, 9), ["penguins.clean", "penguins.train"]);
    await store.commit([{ type: "deleteCacheEntries", keys: [key, "absent"] }]);
    assert.deepEqual(await store.cacheEntries([key]), []);
  });

  test(`${database}: a key is reserved by one action until that action releases it`, async (t) => {
    const store = await open(t);
    const reservation = { key: sha256Hex("key"), run: 7, action: "a1" };
    const rival = { ...reservation, action: "a2" };
    assert.partialDeepStrictEqual(await store.commit([{ type: "reserve", reservation }]), committed);
    assert.partialDeepStrictEqual(await store.commit([{ type: "reserve", reservation }]), committed);
    assert.deepEqual(await store.commit([{ type: "reserve", reservation: rival }]), { type: "exists", at: 0 });
    assert.partialDeepStrictEqual(await store.commit([{ type: "release", reservation: rival }]), committed);
    assert.deepEqual(await store.reservations([reservation.key, "absent"]), [reservation]);
    await store.commit([{ type: "release", reservation }]);
    assert.deepEqual(await store.reservations([reservation.key]), []);
    assert.partialDeepStrictEqual(await store.commit([{ type: "reserve", reservation: rival }]), committed);
  });
}
