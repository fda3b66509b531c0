// Checks a whole database: SQLite's own structures, and what Godwit keeps beside its rows; and puts
// right what follows from other rows. Reads everything, so it is for `godwit doctor`.
import type { Connection } from "./connection.ts";
import { type Invariant, invariants, maxFindings, ownInvariants } from "./invariants.ts";

export type DatabaseDamage = {
  readonly text: string;
  /** "structure": of the file, so that rows may be missing. "rows": what they say does not fit together. */
  readonly of: "structure" | "rows";
  readonly canMend: boolean;
  /** What mending does; if it cannot, what the user can do. */
  readonly next: string;
};

/** What a store answers for: its structures, and the rows it keeps beside others. Empty if all is well. */
export const findings = (connection: Connection): readonly string[] =>
  damages(connection, ownInvariants).map(({ text }) => text);

export function damages(connection: Connection, of: readonly Invariant[] = invariants): readonly DatabaseDamage[] {
  return connection.reading(() => {
    const broken = structureDamages(connection);
    // Counting in a damaged file would only throw.
    if (broken.length > 0) {
      const next = "copies what can be read into a new file, and keeps the old one";
      return broken.map((text) => ({ text: `${connection.path}: ${text}`, of: "structure", canMend: true, next }));
    }
    const strays = connection.all("pragma foreign_key_check").slice(0, maxFindings);
    return [
      ...strays.map(
        ([table, id, parent]): DatabaseDamage => ({
          text: `Row ${id} of table ${table} refers to a missing row of ${parent}.`,
          of: "structure",
          canMend: true,
          next: "copies the rows that belong together into a new file, and keeps the old one",
        }),
      ),
      ...of.flatMap(({ broken: query, say, mend, next }) =>
        connection
          .all(`${query} limit ${maxFindings}`)
          .map((row): DatabaseDamage => ({ text: say(row), of: "rows", canMend: mend.length > 0, next })),
      ),
    ];
  });
}

const structureDamages = (connection: Connection): readonly unknown[] =>
  connection
    .all(`pragma integrity_check(${maxFindings})`)
    .flat()
    .filter((line) => line !== "ok");

/** What was done, a line each. Safe while other processes commit: each step is a transaction of its own. */
export function mendRows(connection: Connection): readonly string[] {
  return invariants.flatMap(({ broken, say, mend, next }) => {
    if (mend.length === 0) return [];
    return connection.writing(() => {
      const found = connection.all(`${broken} limit ${maxFindings}`);
      if (found.length > 0) for (const statement of mend) connection.run(statement);
      return found.map((row) => `${say(row)} Mended: ${next}.`);
    });
  });
}

/** Builds the indexes anew. True if the file is sound then, so that no row was touched by the damage. */
export function rebuildIndexes(connection: Connection): boolean {
  connection.exec("reindex");
  return structureDamages(connection).length === 0;
}
