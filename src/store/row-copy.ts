// Copies tables from a damaged database file, around the pages that cannot be read.
import { isGodwitError } from "../core/error.ts";
import type { Connection } from "./connection.ts";
import { placeholders, type Row, type SqlValue } from "./sql.ts";

const batchRows = 500;
/** Ids are at most this: what SQLite and JavaScript both keep exactly. */
const maxId = Number.MAX_SAFE_INTEGER;

/** A table with row ids, in their order. */
export function copyTable(
  from: Connection,
  to: Connection,
  table: string,
): { readonly rows: number; readonly gaps: number } {
  const columns = commonColumns(from, to, table);
  if (columns.length === 0) return { rows: 0, gaps: 1 };
  const insert = inserter(to, table, columns);
  const select = `select rowid, ${columns.join(", ")} from ${table} not indexed`;
  const page = (after: number): readonly Row[] | null =>
    readable(() => from.all(`${select} where rowid > ? order by rowid limit ${batchRows}`, after));
  const next = (after: number): Row | null | undefined => {
    const found = readable(() => from.all(`${select} where rowid > ? order by rowid limit 1`, after));
    return found === null ? undefined : (found[0] ?? null);
  };
  let rows = 0;
  let gaps = 0;
  const keep = (found: readonly Row[]): void => {
    rows += to.writing(() => found.filter((row) => insert(row.slice(1))).length);
  };
  for (let after = 0; ; ) {
    const found = page(after);
    if (found !== null) {
      if (found.length === 0) return { rows, gaps };
      keep(found);
      after = found.at(-1)?.[0] as number;
      continue;
    }
    // Up to the damaged page row by row, then over it.
    for (let row = next(after); row !== undefined && row !== null; row = next(after)) {
      keep([row]);
      after = row[0] as number;
    }
    gaps++;
    const beyond = beyondGap(after, (place) => next(place) !== undefined);
    if (beyond === null) return { rows, gaps };
    rescue(from, table, after, beyond, (id) => {
      const row = readable(() => from.all(`${select} where rowid = ?`, id));
      if (row !== null) keep(row);
    });
    after = beyond;
  }
}

/** The first place from which on rows can be read again; null if there is none. */
function beyondGap(after: number, isReadable: (place: number) => boolean): number | null {
  let step = 1;
  while (after + step < maxId && !isReadable(after + step)) step *= 2;
  if (after + step >= maxId) return null;
  let [bad, good] = [after + Math.floor(step / 2), after + step];
  while (good - bad > 1) {
    const middle = bad + Math.floor((good - bad) / 2);
    if (isReadable(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/** What lies between damaged pages is known to the indexes, if one of them can be read. */
function rescue(from: Connection, table: string, after: number, until: number, take: (id: number) => void): void {
  const indexes = readable(() =>
    from.all("select name from sqlite_schema where type = 'index' and tbl_name = ?", table),
  );
  for (const [index] of indexes ?? []) {
    const between = `select rowid from ${table} indexed by ${String(index)} where rowid > ? and rowid <= ?`;
    const ids = readable(() => from.all(between, after, until));
    if (ids === null) continue;
    for (const [id] of ids) take(id as number);
    return;
  }
}

const ofActions = ["attempt", "attachment"];

/** salvage.ts R3, and what belongs to the actions that are left. Names of runs of which actions were left out. */
export function adoptRows(from: Connection, to: Connection): readonly string[] {
  const incomplete = to.all(`select distinct r.name from run r join action a on a.run = r.id
    where a.parent is not null and not exists (select 1 from action p where p.id = a.parent) limit 1000`);
  to.writing(() => {
    to.run("delete from action where run not in (select id from run)");
    to.run(`delete from action where id not in (
      with recursive kept(id) as (
        select id from action where parent is null
        union all select a.id from action a join kept k on a.parent = k.id
      ) select id from kept)`);
    to.run("delete from run where id not in (select run from action where parent is null)");
    to.run("update run set owner = null");
  });
  for (const table of ofActions) copyOfActions(from, to, table);
  const sweeps = readable(() => from.all("select run, name from sweep")) ?? [];
  const isThere = "select ?1, ?2 where exists (select 1 from action where run = ?1 and name = ?2)";
  for (const [run, name] of sweeps)
    to.run(`insert or ignore into sweep (run, name) ${isThere}`, run as SqlValue, name as SqlValue);
  return incomplete.map(([name]) => name as string);
}

/** Action by action: these tables have no ids of their own to go by. */
function copyOfActions(from: Connection, to: Connection, table: string): void {
  const columns = commonColumns(from, to, table);
  if (columns.length === 0) return;
  const insert = inserter(to, table, columns);
  const select = `select ${columns.join(", ")} from ${table} where action between ? and ?`;
  for (let after = 0; ; ) {
    const ids = to.all(`select id from action where id > ? order by id limit ${batchRows}`, after).flat() as number[];
    const [first, last] = [ids[0], ids.at(-1)];
    if (first === undefined || last === undefined) return;
    const rows =
      readable(() => from.all(select, first, last)) ??
      ids.flatMap((id) => readable(() => from.all(select, id, id)) ?? []);
    const kept = new Set(ids);
    const at = columns.indexOf("action");
    to.writing(() => {
      for (const row of rows) if (kept.has(row[at] as number)) insert(row);
    });
    after = last;
  }
}

function commonColumns(from: Connection, to: Connection, table: string): readonly string[] {
  const [old, now] = [from, to].map((connection) =>
    (readable(() => connection.all(`select name from pragma_table_info('${table}')`)) ?? []).flat(),
  );
  return (now ?? []).filter((name) => old?.includes(name)) as string[];
}

/** True if the row fits the constraints: what damage has made of a row often does not. */
function inserter(to: Connection, table: string, columns: readonly string[]): (row: Row) => boolean {
  const sql = `insert into ${table} (${columns.join(", ")}) values (${placeholders(columns.length)}) on conflict do nothing`;
  return (row) => readable(() => to.run(sql, ...row)) !== null;
}

/** Null if the database refuses, for damage or for a constraint. A full disk is neither. */
function readable<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (isGodwitError(error) && (error.code === "resource_exhausted" || error.code === "permission_denied"))
      throw error;
    return null;
  }
}
