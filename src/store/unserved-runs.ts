// Runs that nobody moves forward: they have not ended, or something of them is to be swept, and no live engine
// owns them. What live engines serve costs a look each, however many runs that is.
import type { Connection } from "./connection.ts";
import type { Locks } from "./engines.ts";

const nextOwner = "select min(owner) from run where ended_at_ms is null and owner > ?";
const ofNobody = "select id from run where ended_at_ms is null and owner is null order by created_at_ms limit ?";
const ofOwner = "select id from run where ended_at_ms is null and owner = ? order by created_at_ms limit ?";
const nextSwept = "select min(run) from sweep where run > ?";
const ownerOf = "select owner from run where id = ?";

/** Ids, of each owner the oldest first. */
export const unservedRuns = (connection: Connection, locks: Locks, limit: number): readonly number[] =>
  connection.reading(() => {
    const known = new Map<string, boolean>();
    const isLive = (owner: string): boolean => {
      const answer = known.get(owner) ?? locks.isHeld(owner);
      known.set(owner, answer);
      return answer;
    };
    const found = new Set(connection.all(ofNobody, limit).map(([id]) => id as number));
    for (let owner = ""; found.size < limit; ) {
      const next = (connection.first(nextOwner, owner)?.[0] ?? null) as string | null;
      if (next === null) break;
      owner = next;
      if (isLive(owner)) continue;
      for (const [id] of connection.all(ofOwner, owner, limit - found.size)) found.add(id as number);
    }
    for (let run = 0, looked = 0; found.size < limit && looked < limit; looked++) {
      const next = (connection.first(nextSwept, run)?.[0] ?? null) as number | null;
      if (next === null) break;
      run = next;
      const owner = (connection.first(ownerOf, run)?.[0] ?? null) as string | null;
      if (owner === null || !isLive(owner)) found.add(run);
    }
    return [...found];
  });
