// A thread of its own that moves pages from the log into the database file, so that the thread that
// commits does not wait for it. Each message is a mode; the answer tells how far it came, or what failed.
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

/** As SQLite names them: "passive" waits for nobody, "restart" for readers and writers. */
export type CheckpointMode = "passive" | "restart";

/** In pages of the log. `failure` has SQLite's `errcode`. */
export type CheckpointAnswer =
  | { readonly type: "done"; readonly log: number; readonly moved: number }
  | { readonly type: "failed"; readonly failure: { readonly message: string; readonly errcode: unknown } };

// How long "restart" may keep other processes from committing while a reader does not end.
const busyTimeoutMs = 500;

const database = new DatabaseSync(workerData as string, { timeout: busyTimeoutMs });
database.exec("pragma synchronous = normal; pragma wal_autocheckpoint = 0");

parentPort?.on("message", (mode: CheckpointMode | "close") => {
  if (mode === "close") {
    database.close();
    parentPort?.close();
    return;
  }
  parentPort?.postMessage(answer(mode));
});

function answer(mode: CheckpointMode): CheckpointAnswer {
  try {
    const row = database.prepare(`pragma wal_checkpoint(${mode})`).get();
    return { type: "done", log: row?.log as number, moved: row?.checkpointed as number };
  } catch (error) {
    const { message, errcode } = error as Error & { errcode?: unknown };
    return { type: "failed", failure: { message, errcode } };
  }
}
