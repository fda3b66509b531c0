// Engines that are known, and what they say: that they live, what they hold, how they are.
import { GodwitError } from "../core/error.ts";
import type { Connection } from "./connection.ts";
import type { EngineLocks } from "./engine-locks.ts";
import type { Allocation, Amounts, EngineRecord } from "./store.ts";
import { engineOf } from "./tables.ts";

export type Locks = Pick<EngineLocks, "hold" | "isHeld" | "release" | "releaseAll">;

// The lock comes first: an engine that others can see has always been live.
export function register(
  connection: Connection,
  locks: Locks,
  engine: EngineRecord & { readonly status?: string },
): void {
  connection.checkWritable();
  locks.hold(engine.id);
  try {
    const insert = "insert or replace into engine (id, pid, host, started_at_ms, status) values (?, ?, ?, ?, ?)";
    const { id, pid, host, startedAtMs, status = null } = engine;
    connection.run(insert, id, pid, host, startedAtMs, status);
  } catch (error) {
    locks.release(engine.id);
    throw error;
  }
}

const selectEngines = "select id, pid, host, started_at_ms, status from engine";

export const engines = (connection: Connection, locks: Locks) =>
  connection.all(selectEngines).map((row) => {
    const engine = engineOf(row);
    return { ...engine, isLive: locks.isHeld(engine.id), status: row[4] as string | null };
  });

export function forget(connection: Connection, locks: Locks, ids: readonly string[]): void {
  connection.writing(() => {
    for (const id of ids) connection.run("delete from engine where id = ?", id);
  });
  for (const id of ids) locks.release(id);
}

export function publish(connection: Connection, engineId: string, status: string): void {
  connection.writing(() => {
    heldBy(connection, engineId);
    connection.run("update engine set status = ? where id = ?", status, engineId);
  });
}

export function allocate(
  connection: Connection,
  locks: Locks,
  engineId: string,
  { held, totals }: { readonly held: Amounts; readonly totals: Amounts },
): Allocation {
  return connection.writing(() => {
    const before = heldBy(connection, engineId);
    const others = heldByOthers(connection, locks, engineId);
    const granted = Object.entries(held).every(
      ([resource, amount]) =>
        amount <= (before[resource] ?? 0) || amount + (others[resource] ?? 0) <= (totals[resource] ?? 0),
    );
    if (granted) connection.run("update engine set held = ? where id = ?", JSON.stringify(held), engineId);
    return { granted, others };
  });
}

function heldBy(connection: Connection, engineId: string): Amounts {
  const row = connection.first("select held from engine where id = ?", engineId);
  if (row !== null) return JSON.parse(row[0] as string) as Amounts;
  throw new GodwitError("failed_precondition", `The engine ${engineId} is not known. Register it first.`);
}

function heldByOthers(connection: Connection, locks: Locks, engineId: string): Amounts {
  const others: Record<string, number> = {};
  // Whether an engine lives costs a look at its lock, which most that hold nothing are spared.
  for (const [id, text] of connection.all("select id, held from engine")) {
    if (id === engineId || text === "{}" || !locks.isHeld(id as string)) continue;
    for (const [resource, amount] of Object.entries(JSON.parse(text as string) as Amounts)) {
      others[resource] = (others[resource] ?? 0) + amount;
    }
  }
  return others;
}
