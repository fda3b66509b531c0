// Checks a whole database: SQLite's own structures, and what Godwit keeps beside its rows. Reads
// everything, so it is for `godwit doctor`.
import type { Connection } from "./connection.ts";
import { phaseOf } from "./sql.ts";

// More would not tell more.
const maxFindings = 100;

const wrongCounts = `select run, parent, phase, sum(counted), sum(kept) from (
    select run, 0 as parent, phase, count(*) as counted, 0 as kept from action group by run, phase
    union all select run, parent, phase, count(*), 0 from action where parent is not null group by run, parent, phase
    union all select run, parent, phase, 0, n from phase_count
  ) group by run, parent, phase having sum(counted) <> sum(kept) limit ${maxFindings}`;

const wrongRevisions = `select r.id from run r
  where r.last_revision < (select max(a.revision) from action a where a.run = r.id) limit ${maxFindings}`;

const rootless = `select r.id from run r
  where not exists (select 1 from action a where a.run = r.id and a.parent is null) limit ${maxFindings}`;

/** Empty if all is well. */
export function findings(connection: Connection): readonly string[] {
  return connection.reading(() => {
    const damages = connection
      .all(`pragma integrity_check(${maxFindings})`)
      .flat()
      .filter((line) => line !== "ok");
    // Counting in a damaged file would only throw.
    if (damages.length > 0) return damages.map((damage) => `${connection.path}: ${damage}`);
    const strays = connection.all("pragma foreign_key_check").slice(0, maxFindings);
    return [
      ...strays.map(([table, id, parent]) => `Row ${id} of table ${table} refers to a missing row of ${parent}.`),
      ...connection.all(wrongCounts).map(([run, parent, phase, counted, kept]) => {
        const where = parent === 0 ? `run ${run}` : `children of action ${parent} of run ${run}`;
        return `The count of ${phaseOf(phase)} actions in ${where} is kept as ${kept}, but there are ${counted}.`;
      }),
      ...connection
        .all(wrongRevisions)
        .map(([run]) => `Run ${run} has actions of a later revision than its own counter.`),
      ...connection.all(rootless).map(([run]) => `Run ${run} has no root action.`),
    ];
  });
}
