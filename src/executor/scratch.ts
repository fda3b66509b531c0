// Where commands work: a directory of this process, below which each attempt gets its own.
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { type ScratchKind, scratchOwner, scratchPrefix } from "../core/scratch-name.ts";
import { processState } from "./process-state.ts";

/** Of one executor. */
export class Workspaces {
  readonly #tmpDir: string;
  #dir: Promise<string> | null = null;

  constructor(tmpDir: string) {
    this.#tmpDir = tmpDir;
  }

  /** An empty directory, which is removed when the work is done. */
  async with<T>(work: (workspace: string) => Promise<T>): Promise<T> {
    this.#dir ??= makeDirectory(this.#tmpDir);
    this.#dir.catch(() => (this.#dir = null)); // The disk may have room again the next time.
    const workspace = await mkdtemp(join(await this.#dir, "attempt-"));
    try {
      return await work(workspace);
    } finally {
      await removeDirectory(workspace);
    }
  }

  async close(): Promise<void> {
    if (this.#dir !== null) await this.#dir.then(removeDirectory, () => {}); // Never made: nothing to remove.
  }
}

/** A directory for this process. */
async function makeDirectory(tmpDir: string): Promise<string> {
  await mkdir(tmpDir, { recursive: true });
  return mkdtemp(join(tmpDir, scratchPrefix("shell", hostname(), process.pid)));
}

/** What dead processes of this machine have left there: it may hold large copies. Never rejects. */
export async function removeLeft(dir: string, kinds: readonly ScratchKind[]): Promise<void> {
  const names = await readdir(dir).catch(() => []); // Not made yet; else the first command will say what is wrong.
  for (const name of names) {
    const owner = scratchOwner(name, kinds, hostname());
    if (owner !== null && !(await isAlive(owner))) await removeDirectory(join(dir, name));
  }
}

async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return (await processState(pid))?.hasEnded !== true;
}

/** What cannot be removed now (a command may have taken the right away) is left to a later process. */
export const removeDirectory = (path: string): Promise<void> =>
  rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
