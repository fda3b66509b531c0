// Actions of a run, or of a parent, in order of creation: lists that indexes keep in this order, merged, so
// that any filter reads what it returns, and not much more (store.ts R5).
//
// R1  Every action is in the lists of exactly one of these: the queued, the leased, the rare, the ended.
import { type Action, phases as allPhases, isTerminal, type Phase } from "../core/action.ts";
import { actionId, byKeys } from "./action-reads.ts";
import type { Connection } from "./connection.ts";
import { beforeAll, keysOf, mergeKeys, type OrderKey } from "./merge.ts";
import { phaseCodes, type SqlValue, typeCodes } from "./sql.ts";
import type { ActionFilter } from "./store.ts";

/** Whose actions: a column of theirs, and its value. */
type Scope = { readonly column: "run" | "parent"; readonly id: number };

type List = (start: OrderKey) => Generator<OrderKey>;

export function listActions(connection: Connection, filter: ActionFilter, limit: number): readonly Action[] {
  return connection.reading(() => {
    const parentId = filter.parent === undefined ? null : actionId(connection, filter.run, filter.parent);
    if (filter.parent !== undefined && parentId === null) return [];
    const scope: Scope = parentId === null ? { column: "run", id: filter.run } : { column: "parent", id: parentId };
    const types = filter.type === undefined ? Object.values(typeCodes) : [typeCodes[filter.type]];
    const { run, order = "oldest" } = filter;
    const start = startOf(connection, filter);
    const lists = [...new Set(filter.phases ?? allPhases)].flatMap((phase) =>
      types.flatMap((type) => listsOf(connection, { run, scope, phase, type, order })),
    );
    return byKeys(
      connection,
      mergeKeys(
        lists.map((list) => list(start)),
        limit,
      ).map((key) => turned(key, order)),
    );
  });
}

// A cursor whose action is unknown goes on behind all that were created at its time.
function startOf(connection: Connection, { run, after, order = "oldest" }: ActionFilter): OrderKey {
  if (after === undefined) return beforeAll;
  const beyond = order === "oldest" ? Number.MAX_SAFE_INTEGER : 0;
  return turned([after.createdAtMs, actionId(connection, run, after.name) ?? beyond], order);
}

type Order = NonNullable<ActionFilter["order"]>;

/** Newest first, keys are negated: to that, and back again. */
const turned = (key: OrderKey, order: Order): OrderKey => (order === "oldest" ? key : key.map((part) => -part));

type Wanted = {
  readonly run: number;
  readonly scope: Scope;
  readonly phase: Phase;
  readonly type: number;
  readonly order: Order;
};

/** R1. */
function listsOf(connection: Connection, { run, scope, phase, type, order }: Wanted): readonly List[] {
  const code = phaseCodes[phase];
  const { column, id } = scope;
  const list = (where: string, ...values: readonly SqlValue[]): List => listOf(connection, order, where, values);
  if (isTerminal(phase))
    return [list(`${column} = ? and type = ? and phase = ? and ended_at_ms is not null`, id, type, code)];
  if (phase === "queued") return [list(`${column} = ? and type = ? and ended_at_ms is null and phase = 0`, id, type)];
  const rare = list(`${column} = ? and type = ? and phase = ? and (${isRare})`, id, type, code);
  if (phase !== "running" && phase !== "initializing") return [rare];
  const leased = `run = ? and owner = ? and type = ? and phase = ?${column === "parent" ? " and +parent = ?" : ""}`;
  const ofParent = column === "parent" ? [id] : [];
  const owners = connection.all(ownersOfRun, run, run).map(([owner]) => owner as string);
  return [rare, ...owners.map((owner) => list(leased, run, owner, type, code, ...ofParent))];
}

// As in the index, migrations.ts. Not "in": SQLite would make a table for a list of three, at each update.
const isRare = "phase = 1 or phase = 2 or phase = 4 or (phase = 3 and owner is null)";

const ownersOfRun = `with recursive found (owner) as (
    select min(owner) from action where run = ? and owner is not null
    union all
    select (select min(owner) from action where run = ? and owner > found.owner) from found where owner is not null
  )
  select owner from found where owner is not null`;

const listOf =
  (connection: Connection, order: Order, where: string, values: readonly SqlValue[]): List =>
  (start) =>
    keysOf((after, count) => {
      const [sign, beyond, direction] = order === "oldest" ? ["", ">", ""] : ["-", "<", " desc"];
      const sql = `select ${sign}created_at_ms, ${sign}id from action where ${where}
        and (created_at_ms, id) ${beyond} (?, ?) order by created_at_ms${direction}, id${direction} limit ?`;
      return connection.all(sql, ...values, ...turned(after ?? start, order), count) as readonly OrderKey[];
    });
