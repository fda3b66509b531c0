// Lists of runs over the protocol, with filters as clients send them.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import {
  Filter_Function,
  type FilterSchema,
  type ListRequestSchema,
  Sort_Direction,
} from "#idl/flyteidl2/common/list_pb.js";
import { RunService } from "#idl/flyteidl2/workflow/run_service_pb.js";
import { newerFunctions } from "../idl/newer.ts";
import { insertAction, insertRun, sampleAction, sampleRun } from "../store/sample-rows.suite.ts";
import type { Store } from "../store/store.ts";
import { runService } from "./run-service.ts";
import { served } from "./wire.fixture.ts";

const projectId = { organization: "", name: "default", domain: "development" };
const { EQUAL, VALUE_IN, CONTAINS, GREATER_THAN_OR_EQUAL, LESS_THAN } = Filter_Function;
const startMs = Date.parse("2026-11-27T23:00:00Z");

type FilterInit = MessageInitShape<typeof FilterSchema>;

/** Runs r1, r2, … and r10, a second apart; r2 runs, r3 has a label. */
async function opened(t: TestContext): Promise<{ readonly runs: Client<typeof RunService>; readonly store: Store }> {
  const { transport, store } = await served(t, runService);
  for (const id of [1, 2, 3, 10]) {
    const run = sampleRun({
      id,
      name: `r${id}`,
      phase: id === 2 ? "running" : "queued",
      createdAtMs: startMs + id * 1_000,
      labels: id === 3 ? { team: "a" } : {},
    });
    await store.commit([insertRun(run), insertAction(sampleAction({ name: "a0", run: id, spec: null }))]);
  }
  return { runs: createClient(RunService, transport), store };
}

const filter = (field: string, how: Filter_Function, ...values: string[]): FilterInit => ({
  field,
  function: how,
  values,
});

/** Oldest first. */
async function named(runs: Client<typeof RunService>, ...filters: FilterInit[]): Promise<readonly string[]> {
  const sortBy = { key: "created_at", direction: Sort_Direction.ASCENDING };
  const found = await runs.listRuns({
    request: { filters, sortBy },
    scopeBy: { case: "projectId", value: projectId },
  });
  return found.runs.map(({ action }) => action?.id?.run?.name ?? "");
}

test("phases are found by their numbers, also where a number comes in digits", async (t) => {
  const { runs } = await opened(t);
  const phase = (how: Filter_Function, ...values: string[]) => named(runs, filter("phase", how, ...values));
  assert.deepEqual(await phase(EQUAL, "4"), ["r2"]);
  assert.deepEqual(await phase(VALUE_IN, "1", "4"), ["r1", "r2", "r3", "r10"]);
  assert.deepEqual(await phase(newerFunctions.valueNotIn, "4"), ["r1", "r3", "r10"]);
  // Recovered is 10, and the client sends "1" and "0": neither queued nor all.
  assert.deepEqual(await phase(EQUAL, "1", "0"), []);
  assert.deepEqual(await named(runs, filter("phase", EQUAL, "1"), filter("phase", EQUAL, "4")), []);
  await assert.rejects(phase(EQUAL, "QUEUED"), { rawMessage: 'A phase is filtered by its number, not by "QUEUED".' });
  await assert.rejects(phase(EQUAL, "99"), { rawMessage: /no phase 99/ });
});

test("labels are found by value and by being there, times by all their bounds, names whole or in part", async (t) => {
  const { runs } = await opened(t);
  const at = (seconds: number) => new Date(startMs + seconds * 1_000).toISOString().replace("Z", "+00:00");
  assert.deepEqual(await named(runs, filter("labels.team", EQUAL, "a")), ["r3"]);
  assert.deepEqual(await named(runs, filter("labels.team", EQUAL, "b")), []);
  assert.deepEqual(await named(runs, filter("labels.team", newerFunctions.exists)), ["r3"]);
  const from = (seconds: number) => filter("created_at", GREATER_THAN_OR_EQUAL, at(seconds));
  assert.deepEqual(await named(runs, from(2), filter("created_at", LESS_THAN, at(10))), ["r2", "r3"]);
  assert.deepEqual(await named(runs, from(3), from(2)), ["r3", "r10"]);
  assert.deepEqual(await named(runs, filter("run_name", CONTAINS, "R1")), ["r1", "r10"]);
  assert.deepEqual(await named(runs, filter("run_name", EQUAL, "r1")), ["r1"]);
  await assert.rejects(named(runs, filter("created_at", EQUAL, at(1))), {
    rawMessage: /created_at cannot be filtered/,
  });
  await assert.rejects(named(runs, filter("colour", EQUAL, "red")), { rawMessage: /no filter of "colour"/ });
});

test("pages follow one another by their tokens, the newest first, and a made-up token is refused", async (t) => {
  const { runs } = await opened(t);
  const page = (token: string, limit = 3) =>
    runs.listRuns({ request: { limit, token }, scopeBy: { case: "projectId", value: projectId } });
  const first = await page("");
  assert.deepEqual(
    first.runs.map(({ action }) => action?.id?.run?.name),
    ["r10", "r3", "r2"],
  );
  const second = await page(first.token);
  assert.deepEqual(
    second.runs.map(({ action }) => action?.id?.run?.name),
    ["r1"],
  );
  assert.equal(second.token, "");
  await assert.rejects(page("3"), { rawMessage: /page token/ });
  await assert.rejects(runs.listRuns({}), { rawMessage: /project_id/ });
});

test("actions of a run come in the order that is asked for, the oldest first if none is", async (t) => {
  const { runs, store } = await opened(t);
  await store.commit(
    ["b", "c"].map((name, at) =>
      insertAction(sampleAction({ name, run: 1, parent: "a0", depth: 1, spec: null, createdAtMs: startMs + at })),
    ),
  );
  const listed = async (request: MessageInitShape<typeof ListRequestSchema>) => {
    const runId = { project: "default", domain: "development", name: "r1" };
    const { actions, token } = await runs.listActions({ runId, request });
    return [...actions.map(({ id }) => id?.name ?? ""), token === "" ? "end" : token];
  };
  const created = (direction: Sort_Direction) => ({ sortBy: { key: "created_at", direction } });
  assert.deepEqual(await listed({}), ["a0", "b", "c", "end"]);
  assert.deepEqual(await listed(created(Sort_Direction.ASCENDING)), ["a0", "b", "c", "end"]);
  assert.deepEqual(await listed(created(Sort_Direction.DESCENDING)), ["c", "b", "a0", "end"]);
  const [first, second, token] = await listed({ ...created(Sort_Direction.DESCENDING), limit: 2 });
  assert.deepEqual([first, second], ["c", "b"]);
  const rest = { ...created(Sort_Direction.DESCENDING), limit: 2, token: token as string };
  assert.deepEqual(await listed(rest), ["a0", "end"]);
  await assert.rejects(listed({ sortBy: { key: "name" } }), { rawMessage: /Sorting by "name" is not possible/ });
});
