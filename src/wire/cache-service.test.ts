// The protocol's cache service, as a client of it sees it.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { CacheService } from "#idl/flyteidl2/cacheservice/v2/cacheservice_pb.js";
import { LiteralMapSchema } from "#idl/flyteidl2/core/literals_pb.js";
import { scope } from "../control/records.fixture.ts";
import { literalMessage } from "../idl/literal-message.ts";
import { sampleEntry } from "../store/sample-rows.suite.ts";
import type { Store } from "../store/store.ts";
import { cacheService } from "./cache-service.ts";
import { served } from "./wire.fixture.ts";

async function opened(t: TestContext): Promise<{ readonly cache: Client<typeof CacheService>; readonly store: Store }> {
  const { transport, store } = await served(t, cacheService);
  return { cache: createClient(CacheService, transport), store };
}

const identifier = { org: "local", project: scope.project, domain: scope.domain };
const literal = literalMessage({ type: "integer", value: "3" }, null);
const outputs = create(LiteralMapSchema, { literals: { o0: literal } });
const output = { output: { case: "outputLiterals", value: outputs } } as const;

test("outputs are put under a key, found with their times, overwritten on request, and deleted", async (t) => {
  const { cache } = await opened(t);
  const get = async () => (await cache.get({ baseRequest: { key: "k" }, identifier })).output;
  await assert.rejects(get(), { rawMessage: /nothing under the key "k"/ });
  const put = (overwrite?: { readonly overwrite: boolean }) =>
    cache.put({ baseRequest: { key: "k", output, ...(overwrite === undefined ? {} : { overwrite }) }, identifier });
  await put();
  const found = await get();
  assert.deepEqual(found?.output.value, outputs);
  assert.ok(found?.metadata?.createdAt);
  await assert.rejects(put());
  await assert.rejects(put({ overwrite: false }));
  await put({ overwrite: true });
  await cache.delete({ baseRequest: { key: "k" }, identifier });
  await assert.rejects(get());
});

test("what an action has left is found as literals, with where it comes from", async (t) => {
  const { cache, store } = await opened(t);
  const key = "ab".repeat(32);
  const text = JSON.stringify({ o0: { type: "integer", value: "3" } });
  await store.commit([{ type: "putCacheEntry", entry: sampleEntry({ key, outputs: { type: "inline", text } }) }]);
  const found = (await cache.get({ baseRequest: { key }, identifier })).output;
  assert.deepEqual(found?.output.value, outputs);
  assert.equal(found?.metadata?.sourceIdentifier?.name, "penguins.train");
});

test("one client holds a key at a time, and says when it may be asked for again", async (t) => {
  const { cache } = await opened(t);
  const reserve = async (ownerId: string) => {
    const request = { key: "k", ownerId, heartbeatInterval: { seconds: 2n, nanos: 0 } };
    return (await cache.getOrExtendReservation({ baseRequest: request, identifier })).reservation;
  };
  const first = await reserve("a");
  assert.partialDeepStrictEqual(first, { key: "k", ownerId: "a" });
  assert.equal(first?.heartbeatInterval?.seconds, 2n);
  assert.ok(first?.expiresAt);
  assert.equal((await reserve("b"))?.ownerId, "a");
  await cache.releaseReservation({ baseRequest: { key: "k", ownerId: "b" }, identifier });
  assert.equal((await reserve("b"))?.ownerId, "a");
  await cache.releaseReservation({ baseRequest: { key: "k", ownerId: "a" }, identifier });
  assert.equal((await reserve("b"))?.ownerId, "b");
});

test("a request that says too little, or that means another project, is refused", async (t) => {
  const { cache } = await opened(t);
  await assert.rejects(cache.get({ baseRequest: { key: "" }, identifier }), {
    rawMessage: /base_request.key is empty/,
  });
  await assert.rejects(cache.get({ identifier }), { rawMessage: /lacks the field base_request/ });
  await assert.rejects(cache.get({ baseRequest: { key: "k" } }), { rawMessage: /lacks the field identifier/ });
  await assert.rejects(cache.put({ baseRequest: { key: "k" }, identifier }), { rawMessage: /output/ });
  const elsewhere = { ...identifier, project: "nowhere" };
  await assert.rejects(cache.put({ baseRequest: { key: "k", output }, identifier: elsewhere }), {
    rawMessage: /nowhere/,
  });
});
