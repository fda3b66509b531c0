// The limit: what durable calls cost on the embedded database with nothing around them. One table, one
// worker process, and two synced commits on the way of each call, one before it is sent to the worker and
// one after; calls of one moment share their commits. No retries, no queries, no recovery, no rules.
import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export type BareEngine = { call(input: number): Promise<number>; close(): void };

export function openBareEngine(dir: string): BareEngine {
  const db = new DatabaseSync(join(dir, "bare.db"));
  db.exec("pragma journal_mode = wal; pragma synchronous = full");
  db.exec("create table call (id integer primary key, input text not null, output text)");
  const insert = db.prepare("insert into call (id, input) values (?, ?)");
  const update = db.prepare("update call set output = ? where id = ?");
  const worker: ChildProcess = fork(join(import.meta.dirname, "bare-worker.ts"), [], { execArgv: [] });
  const waiting = new Map<number, (output: number) => void>();
  let nextId = 0;
  let asked: [id: number, input: number][] = [];
  const send = (): void => {
    const batch = asked;
    asked = [];
    db.exec("begin immediate");
    for (const [id, input] of batch) insert.run(id, JSON.stringify(input));
    db.exec("commit");
    worker.send(batch);
  };
  worker.on("message", (outputs: readonly (readonly [id: number, output: number])[]) => {
    db.exec("begin immediate");
    for (const [id, output] of outputs) update.run(JSON.stringify(output), id);
    db.exec("commit");
    for (const [id, output] of outputs) {
      waiting.get(id)?.(output);
      waiting.delete(id);
    }
  });
  return {
    call: (input) => {
      if (asked.length === 0) setImmediate(send);
      asked.push([nextId, input]);
      const { promise, resolve } = Promise.withResolvers<number>();
      waiting.set(nextId++, resolve);
      return promise;
    },
    close: () => {
      worker.disconnect();
      db.close();
    },
  };
}
