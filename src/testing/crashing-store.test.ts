// The crashing store dies where it was told to, and is silent from then on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openSqliteStore } from "../store/sqlite.ts";
import type { Change, Store } from "../store/store.ts";
import { crashingStore } from "./crashing-store.ts";

const put = (digest: string): Change[] => [{ type: "putDocument", digest, text: "{}" }];
const crashed = { code: "unavailable" };

async function commitUntilCrash(store: Store): Promise<readonly string[]> {
  const acknowledged: string[] = [];
  try {
    for (const digest of ["a", "b", "c", "d"]) {
      await store.commit(put(digest));
      acknowledged.push(digest);
    }
  } catch (error) {
    assert.equal((error as { code?: string }).code, "unavailable");
  }
  return acknowledged;
}

for (const [when, kept] of [
  ["before", ["a", "b"]],
  ["after", ["a", "b", "c"]],
] as const) {
  test(`a crash ${when} a commit ${when === "after" ? "keeps" : "loses"} it and tells its caller nothing`, async (t) => {
    const below = await openSqliteStore({ path: ":memory:" });
    t.after(() => below.close());
    const crashing = crashingStore(below, { at: 2, when });
    assert.deepEqual(await commitUntilCrash(crashing.store), ["a", "b"]);
    await crashing.crashed;
    assert.equal(crashing.hasCrashed(), true);
    assert.deepEqual([...(await below.documents(["a", "b", "c", "d"])).keys()], kept);
  });
}

test("a crashed store answers and tells nothing more", async (t) => {
  const below = await openSqliteStore({ path: ":memory:" });
  t.after(() => below.close());
  const crashing = crashingStore(below, { at: 0, when: "after" });
  let heard = 0;
  crashing.store.onChange(() => heard++);
  const inFlight = [crashing.store.commit(put("a")), crashing.store.commit(put("b"))];
  for (const commit of inFlight) await assert.rejects(commit, crashed);
  await assert.rejects(crashing.store.documents(["a"]), crashed);
  await assert.rejects(crashing.store.commit(put("c")), crashed);
  assert.throws(() => crashing.store.onChange(() => {}), crashed);
  assert.equal(heard, 0);
  assert.equal(crashing.commitTotal(), 2);
});

test("a store whose crash is not reached is as the one below", async (t) => {
  const below = await openSqliteStore({ path: ":memory:" });
  t.after(() => below.close());
  const crashing = crashingStore(below, { at: 4, when: "before" });
  assert.deepEqual(await commitUntilCrash(crashing.store), ["a", "b", "c", "d"]);
  assert.equal((await crashing.store.documents(["a", "d"])).size, 2);
  assert.equal(crashing.hasCrashed(), false);
});
