// A process of its own for the tests of sqlite.test.ts: registers an engine, adds actions to run 7 as
// fast as it can, and prints a line for each that was acknowledged, until it is killed or has added
// `total`. Arguments: the database's path, the engine's id, total.
import { writeSync } from "node:fs";
import { child, insertAction } from "./sample-rows.suite.ts";
import { openSqliteStore } from "./sqlite.ts";

const [path, engine, total] = process.argv.slice(2) as [string, string, string];
const store = await openSqliteStore({ path });
await store.register({ id: engine, pid: process.pid, host: "here", startedAtMs: 1 });
writeSync(1, "ready\n");

let next = 0;
const add = async (): Promise<void> => {
  while (next < Number(total)) {
    const name = `${engine}-${next++}`;
    const result = await store.commit([insertAction(child(name)), insertAction(child(`${name}-twin`))]);
    // Synchronous, so that what was printed before a kill was acknowledged before it.
    writeSync(1, result.type === "committed" ? `${name}\n` : `refused ${name}\n`);
  }
};
// Several at a time, so that commits share transactions.
await Promise.all([add(), add(), add(), add()]);
await store.close();
