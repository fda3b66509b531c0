// Loaded before everything else into each process of a trial (`node --import`): counts the points that
// the process comes to, and at the one that was chosen ends the victim with SIGKILL. The steps of
// storing a blob are seen where they happen, in Node's file system.
import { closeSync, mkdirSync, openSync, readdirSync, writeFileSync } from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { isOfBlobs, type PointKind, pointOf, variables } from "./points.ts";

const { env } = process;
const target = env[variables.point] ? pointOf(env[variables.point] as string) : null;
const countDir = env[variables.countDir] as string;
const workerDir = join(countDir, "workers");
/** A thread of the engine's has its pid. */
const isWorker = ![undefined, String(process.pid)].includes(env[variables.engine]);
const totals = new Map<PointKind, number>();

mkdirSync(workerDir, { recursive: true });
if (isWorker) writeFileSync(join(workerDir, String(process.pid)), "");
else env[variables.engine] = String(process.pid);

/** One more point of that kind. Does not return if it is the one. */
export function reach(kind: PointKind): void {
  const at = isOfBlobs(kind) ? nextOfAll(kind) : (totals.get(kind) ?? 0) + 1;
  totals.set(kind, at);
  if (target?.kind === kind && target.at === at) kill();
}

export const reached = (kind: PointKind): number =>
  isOfBlobs(kind)
    ? readdirSync(countDir).filter((name) => name.startsWith(`${kind}:`)).length
    : (totals.get(kind) ?? 0);

/** Counted by files, of which each can be made once. */
function nextOfAll(kind: PointKind): number {
  for (let at = (totals.get(kind) ?? 0) + 1; ; at++) {
    try {
      closeSync(openSync(join(countDir, `${kind}:${at}`), "wx"));
      return at;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

function kill(): void {
  if (env[variables.victim] === "worker") {
    killWorker();
    return;
  }
  noteKill();
  process.kill(Number(env[variables.engine]), "SIGKILL");
  // A worker that comes to the point goes no further either.
  if (isWorker) process.kill(process.pid, "SIGKILL");
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
}

const noteKill = (): void => writeFileSync(join(countDir, "killed"), "");

function killWorker(): void {
  const pids = isWorker ? [process.pid] : readdirSync(workerDir).map(Number).sort();
  for (const pid of pids) {
    try {
      process.kill(pid, 0);
    } catch {
      continue; // It has ended already.
    }
    noteKill();
    process.kill(pid, "SIGKILL");
    return;
  }
}

const isTemporary = (path: unknown): boolean => typeof path === "string" && /[/\\]blobs[/\\]tmp[/\\]/.test(path);
const { open, rename } = fs;

fs.open = async (path, flags, mode) => {
  const isBlob = flags === "wx" && isTemporary(path);
  if (isBlob) reach("blob-before");
  const file = await open(path, flags, mode);
  return isBlob ? watched(file) : file;
};

fs.rename = async (from, to) => {
  await rename(from, to);
  if (isTemporary(from)) reach("blob-renamed");
};

syncBuiltinESMExports();

function watched(file: FileHandle): FileHandle {
  const { writeFile, sync, close } = file;
  let isSynced = false;
  let isBegun = false;
  const writeHalf: typeof file.writeFile = async (bytes, options) => {
    if (!(bytes instanceof Uint8Array) || isBegun) return writeFile.call(file, bytes, options);
    isBegun = true;
    const half = Math.ceil(bytes.length / 2);
    await writeFile.call(file, bytes.subarray(0, half), options);
    reach("blob-mid");
    await writeFile.call(file, bytes.subarray(half), options);
  };
  return Object.assign(file, {
    writeFile: writeHalf,
    sync: async () => {
      reach("blob-written");
      await sync.call(file);
      isSynced = true;
      reach("blob-synced");
    },
    close: async () => {
      if (isSynced) reach("blob-after");
      await close.call(file);
    },
  });
}
