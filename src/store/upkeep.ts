// What `godwit doctor` asks of a database beyond the contract of stores: what is wrong with it, what its
// rows need, and to put right what can be. A second door of the store.
import { existsSync } from "node:fs";
import { GodwitError } from "../core/error.ts";
import { Connection } from "./connection.ts";
import { type ReferencePage, type ReferencePlace, references } from "./references.ts";
import { migrate } from "./schema.ts";
import { type DatabaseDamage, damages, mendRows, rebuildIndexes } from "./soundness.ts";
import { digestColumn, recordCodes } from "./sql.ts";

export type { Reference, ReferencePlace } from "./references.ts";
export { firstReference } from "./references.ts";
export type { DatabaseDamage } from "./soundness.ts";

export type Upkeep = {
  /** Empty if all is well. */
  damages(): readonly DatabaseDamage[];
  references(place: ReferencePlace, limit: number): ReferencePage;
  isRun(id: number): boolean;
  secretTotal(): number;
  /** Safe while other processes commit. What was done, a line each. */
  mendRows(): readonly string[];
  /** True if the file is sound after it. */
  rebuildIndexes(): boolean;
  removeCacheEntries(keys: readonly string[]): void;
  removeCheckpoint(run: number, action: string): void;
  close(): void;
};

/** Of a file that is there; rejects as opening the store does. */
export function openUpkeep(path: string): Upkeep {
  if (!existsSync(path)) throw new GodwitError("not_found", `There is no database ${path}.`);
  const connection = new Connection({ path });
  try {
    migrate(connection);
  } catch (error) {
    connection.close();
    throw error;
  }
  return {
    damages: () => damages(connection),
    references: (place, limit) => references(connection, place, limit),
    secretTotal: () => connection.number(`select count(*) from record where kind = ${recordCodes.secret}`) as number,
    isRun: (id) => connection.number("select 1 from run where id = ?", id) !== null,
    mendRows: () => mendRows(connection),
    rebuildIndexes: () => rebuildIndexes(connection),
    removeCacheEntries: (keys) =>
      connection.writing(() => {
        for (const key of keys) connection.run("delete from cache_entry where cache_key = ?", digestColumn(key));
      }),
    removeCheckpoint: (run, action) => {
      const where = "action = (select id from action where run = ? and name = ?)";
      connection.run(`delete from attachment where kind = 0 and ${where}`, run, action);
    },
    close: () => connection.close(),
  };
}
