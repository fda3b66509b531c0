// Backfills as people deal with them: what one would do, asking for it, how far it is, and giving it up.
import { type Backfill, type BackfillPlan, plannedTicks } from "../core/backfill.ts";
import { GodwitError } from "../core/error.ts";
import { tickRunName } from "../core/trigger.ts";
import type { StoreRecord } from "../store/store.ts";
import { backfillOf, backfillRecordKey, putBackfill } from "../store/trigger-rows.ts";
import type { Page, Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { type Paging, recordPage } from "./records.ts";
import { getTrigger, type TriggerName } from "./triggers.ts";

/** `first`: the first of its ticks, at most as many as were asked for; `exists`: they have their runs already. */
export type BackfillPreview = {
  readonly total: number;
  readonly first: readonly { readonly atMs: number; readonly runName: string; readonly exists: boolean }[];
};

export type NewBackfill = BackfillPlan & {
  /** Given, the same command again is answered with the same backfill. Null: a name is made up. */
  readonly id: string | null;
};

const maxTries = 10;
const maxPreview = 1_000;

export async function previewBackfill(
  parts: Parts,
  scope: Scope,
  name: TriggerName,
  { count, ...plan }: BackfillPlan & { readonly count: number },
): Promise<BackfillPreview> {
  const trigger = await getTrigger(parts, scope, name);
  const ticks = plannedTicks(trigger, plan, parts.cron);
  const first = await Promise.all(
    ticks.slice(0, Math.max(0, Math.min(count, maxPreview))).map(async (atMs) => {
      const runName = tickRunName(trigger, atMs);
      const exists = !plan.repeats && (await parts.store.run(scope.project, scope.domain, runName)) !== null;
      return { atMs, runName, exists };
    }),
  );
  return { total: ticks.length, first };
}

export async function createBackfill(
  parts: Parts,
  scope: Scope,
  name: TriggerName,
  { id: wantedId, ...plan }: NewBackfill,
): Promise<{ readonly backfill: Backfill; readonly created: boolean }> {
  const trigger = await getTrigger(parts, scope, name);
  const planned = plannedTicks(trigger, plan, parts.cron).length;
  const nowMs = parts.nowMs();
  const { fromMs, beforeMs, parallelism, repeats } = plan;
  const backfill: Backfill = {
    id: wantedId === null ? `b${Buffer.from(parts.randomBytes(8)).toString("hex")}` : checkId(wantedId),
    project: scope.project,
    domain: scope.domain,
    ...name,
    revision: trigger.revision,
    content: trigger.content,
    anchorMs: trigger.anchorMs,
    ...{ fromMs, beforeMs, parallelism, repeats },
    phase: "running",
    cursorMs: fromMs - 1,
    active: [],
    counts: { planned, started: 0, existing: 0, succeeded: 0, failed: 0 },
    createdAtMs: nowMs,
    createdBy: scope.caller,
    endedAtMs: null,
    problem: null,
  };
  const result = await parts.store.commit([putBackfill(backfill, { from: null, dueAtMs: nowMs, nowMs })]);
  if (result.type === "committed") return { backfill, created: true };
  const existing = await getBackfill(parts, scope, backfill.id);
  const isSame =
    existing.task === name.task &&
    existing.name === name.name &&
    existing.fromMs === fromMs &&
    existing.beforeMs === beforeMs &&
    existing.repeats === repeats;
  if (isSame) return { backfill: existing, created: false };
  throw new GodwitError("already_exists", `There is already another backfill "${backfill.id}"; take another name.`);
}

function checkId(id: string): string {
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(id)) return id;
  throw new GodwitError(
    "invalid_argument",
    `The backfill name ${JSON.stringify(id.slice(0, 100))} is not allowed: use 1 to 63 lower-case letters, digits and dashes.`,
  );
}

async function recordOf(parts: Parts, scope: Scope, id: string): Promise<StoreRecord> {
  const [record] = await parts.store.records([backfillRecordKey(scope, id)]);
  if (record !== undefined) return record;
  throw new GodwitError("not_found", `There is no backfill "${id}" in ${scope.project}/${scope.domain}.`);
}

export const getBackfill = async (parts: Parts, scope: Scope, id: string): Promise<Backfill> =>
  backfillOf(await recordOf(parts, scope, id));

/** Newest first. */
export async function listBackfills(parts: Parts, scope: Scope, paging: Paging): Promise<Page<Backfill>> {
  const { project, domain } = scope;
  const filter = { kind: "backfill", project, domain, order: "newest" } as const;
  const { items, token } = await recordPage(parts, filter, paging);
  return { items: items.map(backfillOf), token };
}

/** Starts no more runs, and ends those that go on. Nothing to one that is over. */
export async function abortBackfill(parts: Parts, scope: Scope, id: string): Promise<Backfill> {
  for (let tries = 0; tries < maxTries; tries++) {
    const record = await recordOf(parts, scope, id);
    const before = backfillOf(record);
    if (before.phase !== "running") return before;
    const nowMs = parts.nowMs();
    const next: Backfill = { ...before, phase: "aborting" };
    const result = await parts.store.commit([putBackfill(next, { from: record, dueAtMs: nowMs, nowMs })]);
    if (result.type === "committed") return next;
  }
  throw new GodwitError("unavailable", `The backfill "${id}" moved on ${maxTries} times meanwhile; try again.`);
}
