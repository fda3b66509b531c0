// Reads of records: by key, listed, and those that are due (store.ts R5).
import { GodwitError } from "../core/error.ts";
import type { Connection } from "./connection.ts";
import { recordByKey, recordKeyRow, recordOf, selectRecords } from "./record-tables.ts";
import { type Row, recordCodes, type SqlValue } from "./sql.ts";
import {
  maxRowsSearched,
  type RecordFilter,
  type RecordKey,
  type RecordKind,
  type RecordPlace,
  type StorePage,
  type StoreRecord,
} from "./store.ts";

export const records = (connection: Connection, keys: readonly RecordKey[]): readonly StoreRecord[] =>
  connection.reading(() => keys.flatMap((key) => connection.all(recordByKey, ...recordKeyRow(key)).map(recordOf)));

const dueOfKind = `${selectRecords} where kind = ? and due_at_ms <= ? order by due_at_ms limit ?`;

export const dueRecords = (
  connection: Connection,
  kind: RecordKind,
  nowMs: number,
  limit: number,
): readonly StoreRecord[] => connection.all(dueOfKind, recordCodes[kind], nowMs, limit).map(recordOf);

const firstDue = "select due_at_ms from record where kind = ? and due_at_ms is not null order by due_at_ms limit 1";

export const nextDueRecordMs = (connection: Connection, kind: RecordKind): number | null =>
  connection.number(firstDue, recordCodes[kind]);

/** Rows read at once. */
const batchRows = 500;

export function listRecords(
  connection: Connection,
  filter: RecordFilter,
  limit: number,
): StorePage<StoreRecord, RecordPlace> {
  const listing = listingOf(filter);
  const contained = filter.nameContains?.toLowerCase();
  const isWanted = ({ project, domain, name }: StoreRecord): boolean =>
    (filter.project ?? project) === project &&
    (filter.domain ?? domain) === domain &&
    (filter.name ?? name) === name &&
    (contained === undefined || name.toLowerCase().includes(contained));
  return connection.reading(() => {
    const items: StoreRecord[] = [];
    let after = placeIn(listing, filter);
    for (let searched = 0; searched < maxRowsSearched; ) {
      // One more than is wanted tells whether there is more; if that is not enough, many are looked through.
      const rows = page(connection, listing, after, searched === 0 ? Math.min(limit + 1, batchRows) : batchRows);
      if (rows.length === 0) return { items, next: null };
      for (const row of rows) {
        const record = recordOf(row);
        if (isWanted(record)) {
          if (items.length === limit) return { items, next: after };
          items.push(record);
        }
        after = listing.placeOf(row);
        searched++;
      }
    }
    return { items, next: after };
  });
}

type Listing = {
  readonly where: string;
  readonly values: readonly SqlValue[];
  /** The columns that order what `where` leaves. */
  readonly order: readonly string[];
  readonly isDescending: boolean;
  readonly placeOf: (row: Row) => RecordPlace;
};

/** The index that fits best; what it does not tell apart is looked through. */
function listingOf({ kind, project, domain, name, order }: RecordFilter): Listing {
  const fixed = [project, project === undefined ? undefined : domain].filter((value) => value !== undefined);
  const isOfDomain = fixed.length === 2;
  const exact = isOfDomain && name !== undefined ? [...fixed, name] : fixed;
  const columns = ["project", "domain", "name"];
  const equal = (count: number): string =>
    ["kind", ...columns.slice(0, count)].map((column) => `${column} = ?`).join(" and ");
  if (order === "name") {
    const rest = [...columns, "version"].slice(exact.length);
    const placeOf = (row: Row): RecordPlace => row.slice(1 + exact.length, 5) as RecordPlace;
    return {
      where: equal(exact.length),
      values: [recordCodes[kind], ...exact],
      order: rest,
      isDescending: false,
      placeOf,
    };
  }
  const used = isOfDomain ? exact : [];
  return {
    where: equal(used.length),
    values: [recordCodes[kind], ...used],
    order: ["created_at_ms", "id"],
    isDescending: order === "newest",
    placeOf: (row) => [row[6] as number, row[10] as number],
  };
}

/** One that another kind of listing gave means nothing in this one. */
function placeIn({ order }: Listing, { after, order: by }: RecordFilter): RecordPlace | null {
  if (after === undefined) return null;
  const type = by === "name" ? "string" : "number";
  if (after.length === order.length && after.every((part) => typeof part === type)) return after;
  throw new GodwitError("invalid_argument", "The page to go on from is of another listing.");
}

function page(connection: Connection, listing: Listing, after: RecordPlace | null, limit: number): readonly Row[] {
  const { where, values, order, isDescending } = listing;
  const direction = isDescending ? " desc" : "";
  const ordered = `order by ${order.map((column) => `${column}${direction}`).join(", ")} limit ?`;
  if (after === null) return connection.all(`${selectRecords} where ${where} ${ordered}`, ...values, limit);
  const beyond = `(${order.join(", ")}) ${isDescending ? "<" : ">"} (${order.map(() => "?").join(", ")})`;
  return connection.all(`${selectRecords} where ${where} and ${beyond} ${ordered}`, ...values, ...after, limit);
}
