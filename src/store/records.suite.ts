// Records: put and deleted inside commits, listed, and found when they are due.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  child,
  committed,
  insertAction,
  insertRun,
  type OpenStore,
  putRecord,
  sampleAction,
  sampleRecord,
  sampleRun,
  startRun,
} from "./sample-rows.suite.ts";
import {
  type Change,
  maxRowsSearched,
  type RecordFilter,
  type RecordPlace,
  type Store,
  type StorePage,
  type StoreRecord,
} from "./store.ts";

const deleteRecord = (record: StoreRecord): Change => ({ type: "deleteRecord", record });

async function one(store: Store, record: StoreRecord = sampleRecord()): Promise<StoreRecord> {
  const [found] = await store.records([record]);
  assert.ok(found, `there is a record ${record.name}`);
  return found;
}

export function recordSuite(database: string, open: OpenStore): void {
  test(`${database}: a record is read back as it was put, with its revisions counted`, async (t) => {
    const store = await open(t);
    const record = sampleRecord({ kind: "trigger", text: '{"é":"\\u0000"}', dueAtMs: 7 });
    assert.deepEqual(await store.commit([putRecord(record)]), { type: "committed", actions: [] });
    assert.deepEqual(await store.records([record, sampleRecord()]), [{ ...record, revision: 1 }]);
    const next = { ...record, revision: 1, text: "{}", updatedAtMs: 2_000, dueAtMs: null };
    await store.commit([putRecord(next)]);
    assert.deepEqual(await one(store, record), { ...next, revision: 2 });
  });

  test(`${database}: a record is inserted once, and changed by whoever knows its revision`, async (t) => {
    const store = await open(t);
    const refused = async (...changes: readonly Change[]) => (await store.commit(changes)).type;
    const record = sampleRecord();
    assert.equal(await refused(putRecord({ ...record, revision: 1 })), "conflict");
    assert.equal(await refused(deleteRecord({ ...record, revision: 1 })), "conflict");
    await store.commit([putRecord(record)]);
    assert.equal(await refused(putRecord(record)), "exists");
    const first = await one(store);
    assert.partialDeepStrictEqual(await store.commit([putRecord(first)]), committed);
    assert.equal(await refused(putRecord(first)), "conflict");
    assert.equal(await refused(deleteRecord(first)), "conflict");
    const second = await one(store);
    assert.equal(await refused(putRecord(second), putRecord(second)), "conflict");
    assert.equal(await refused(deleteRecord(second), putRecord(second)), "conflict");
    assert.equal(
      await refused(putRecord(sampleRecord({ name: "x" })), putRecord(sampleRecord({ name: "x" }))),
      "exists",
    );
    assert.deepEqual(await one(store), second);
    assert.partialDeepStrictEqual(await store.commit([deleteRecord(second)]), committed);
    assert.deepEqual(await store.records([record]), []);
  });

  test(`${database}: what was decided on a deleted record changes none that took its key`, async (t) => {
    const store = await open(t);
    await store.commit([putRecord(sampleRecord())]);
    const old = await one(store);
    await store.commit([deleteRecord(old), putRecord(sampleRecord({ createdAtMs: 2_000 }))]);
    assert.deepEqual(await store.commit([putRecord(old)]), { type: "conflict", at: 0 });
    assert.equal((await one(store)).createdAtMs, 2_000);
  });

  test(`${database}: a commit moves records, runs and actions together or not at all`, async (t) => {
    const store = await open(t);
    const trigger = sampleRecord({ kind: "trigger", dueAtMs: 5 });
    await store.commit([putRecord(trigger)]);
    const due = await one(store, trigger);
    const fire = (record: StoreRecord, id: number): Change[] => [
      putRecord({ ...record, dueAtMs: 10 }),
      insertRun(sampleRun({ id })),
      insertAction(sampleAction({ name: "a0", run: id })),
    ];
    const results = await Promise.all([store.commit(fire(due, 7)), store.commit(fire(due, 8))]);
    assert.deepEqual(
      results.map(({ type }) => type),
      ["committed", "conflict"],
    );
    assert.deepEqual(
      (await store.runsById([7, 8])).map(({ id }) => id),
      [7],
    );
    const again = await one(store, trigger);
    assert.deepEqual(await store.commit([putRecord({ ...again, dueAtMs: 15 }), insertRun(sampleRun())]), {
      type: "exists",
      at: 1,
    });
    assert.deepEqual(await one(store, trigger), { ...trigger, dueAtMs: 10, revision: 2 });
  });

  test(`${database}: a record that is no JSON fails alone, though others wait with it`, async (t) => {
    const store = await open(t);
    const results = await Promise.allSettled([
      store.commit([putRecord(sampleRecord({ name: "a" }))]),
      store.commit([putRecord(sampleRecord({ name: "b", text: "{" }))]),
      store.commit([putRecord(sampleRecord({ name: "c" }))]),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    const { items } = await store.listRecords({ kind: "task", order: "name" }, 9);
    assert.deepEqual(
      items.map(({ name }) => name),
      ["a", "c"],
    );
  });

  test(`${database}: listeners hear of which kinds there are other records`, async (t) => {
    const store = await open(t);
    await startRun(store, sampleRun());
    const heard: unknown[] = [];
    const stop = store.onChange((committed) => heard.push(committed));
    await store.commit([putRecord(sampleRecord()), putRecord(sampleRecord({ kind: "trigger" }))]);
    await store.commit([putRecord(sampleRecord())]);
    await store.commit([insertAction(child("a1")), deleteRecord(await one(store))]);
    stop();
    assert.deepEqual(heard[0], {
      runs: new Map(),
      actions: [],
      sweeps: new Set(),
      records: new Set(["task", "trigger"]),
    });
    assert.equal(heard.length, 2);
    assert.partialDeepStrictEqual(heard[1], {
      sweeps: new Set(),
      records: new Set(["task"]),
      runs: new Map([[7, { first: 3, last: 3 }]]),
    });
  });

  test(`${database}: records are listed in both orders, a page at a time, by every filter`, async (t) => {
    const store = await open(t);
    const all = Array.from({ length: 90 }, (_, index) =>
      sampleRecord({
        kind: index % 9 === 8 ? "secret" : "task",
        project: index % 5 === 4 ? "other" : "default",
        domain: index % 7 === 6 ? "production" : "development",
        name: `${index % 3 === 0 ? "Etl" : "penguins"}.t${(index * 7) % 11}`,
        version: `v${index}`,
        // Several at one time, so that pages end between equals.
        createdAtMs: 1_000 + Math.floor(index / 4),
        revision: 0,
      }),
    );
    // Newer is what was inserted later.
    for (const record of all) await store.commit([putRecord(record)]);
    const filters: readonly Partial<RecordFilter>[] = [
      {},
      { kind: "secret" },
      { project: "default" },
      { project: "default", domain: "development" },
      { project: "default", domain: "development", name: "penguins.t3" },
      { project: "default", domain: "development", nameContains: "ETL" },
      { domain: "production" },
      { name: "penguins.t3" },
      { project: "default", name: "penguins.t3" },
      { nameContains: "%" },
      { project: "none", domain: "development" },
    ];
    for (const order of ["name", "newest", "oldest"] as const) {
      for (const filter of filters) {
        const asked = { kind: "task", order, ...filter } as const;
        const expected = all
          .filter(({ kind }) => kind === asked.kind)
          .filter(({ project }) => (filter.project ?? project) === project)
          .filter(({ domain }) => (filter.domain ?? domain) === domain)
          .filter(({ name }) => (filter.name ?? name) === name)
          .filter(({ name }) => name.toLowerCase().includes((filter.nameContains ?? "").toLowerCase()));
        if (order === "newest") expected.reverse();
        else if (order === "name") expected.sort((a, b) => compare(nameKey(a), nameKey(b)));
        assert.deepEqual(
          (await allRecords(store, asked, 4)).map(({ version }) => version),
          expected.map(({ version }) => version),
          JSON.stringify(asked),
        );
      }
    }
  });

  test(`${database}: a page looks through a bounded number of records, and the next goes on from there`, async (t) => {
    const store = await open(t);
    const total = maxRowsSearched + 700;
    const names = Array.from({ length: total }, (_, index) => `t${String(index).padStart(6, "0")}`);
    await store.commit(names.map((name) => putRecord(sampleRecord({ name }))));
    const filter = { kind: "task", order: "name", nameContains: names.at(-1) ?? "" } as const;
    const first = await store.listRecords(filter, 5);
    assert.deepEqual(first.items, []);
    assert.ok(first.next);
    const second = await store.listRecords({ ...filter, after: first.next }, 5);
    assert.deepEqual(
      second.items.map(({ name }) => name),
      [names.at(-1)],
    );
    assert.equal(second.next, null);
  });

  test(`${database}: a place of another kind of listing is refused`, async (t) => {
    const store = await open(t);
    for (const [order, after] of [
      ["name", []],
      ["name", [1, 2]],
      ["newest", ["a", "b"]],
      ["newest", [1]],
    ] as const)
      await assert.rejects(store.listRecords({ kind: "secret", order, after }, 5), { code: "invalid_argument" });
  });

  test(`${database}: records are due by their time, the longest due first`, async (t) => {
    const store = await open(t);
    const times = [50, 20, null, 40, 30];
    await store.commit(
      times.map((dueAtMs, index) => putRecord(sampleRecord({ kind: "trigger", name: `t${index}`, dueAtMs }))),
    );
    await store.commit([putRecord(sampleRecord({ kind: "notification", dueAtMs: 1 }))]);
    const due = async (nowMs: number, limit = 9) =>
      (await store.dueRecords("trigger", nowMs, limit)).map(({ dueAtMs }) => dueAtMs);
    assert.deepEqual(await due(40), [20, 30, 40]);
    assert.deepEqual(await due(40, 2), [20, 30]);
    assert.deepEqual(await due(19), []);
    assert.equal(await store.nextDueRecordMs("trigger"), 20);
    assert.equal(await store.nextDueRecordMs("image"), null);
  });
}

const nameKey = ({ project, domain, name, version }: StoreRecord): readonly string[] => [
  project,
  domain,
  name,
  version,
];

function compare(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((text, index) => text !== b[index]);
  return at === -1 ? 0 : (a[at] as string) < (b[at] as string) ? -1 : 1;
}

async function allRecords(store: Store, filter: RecordFilter, pageSize: number): Promise<readonly StoreRecord[]> {
  const found: StoreRecord[] = [];
  for (let after: RecordPlace | null = null; ; ) {
    const { items, next }: StorePage<StoreRecord, RecordPlace> = await store.listRecords(
      after === null ? filter : { ...filter, after },
      pageSize,
    );
    found.push(...items);
    if (next === null) return found;
    after = next;
  }
}
