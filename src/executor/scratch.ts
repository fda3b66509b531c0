// Where commands work: a directory of this process, below which each attempt gets its own.
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

const hostPart = (): string => hostname().replace(/[^A-Za-z0-9.]/g, "_");

/** A directory for this process. */
export async function makeDirectory(tmpDir: string): Promise<string> {
  await mkdir(tmpDir, { recursive: true });
  return mkdtemp(join(tmpDir, `shell-${hostPart()}-${process.pid}-`));
}

/** What dead processes of this machine have left: it may hold large copies. Never rejects. */
export async function removeLeft(tmpDir: string): Promise<void> {
  const names = await readdir(tmpDir).catch(() => []); // Not made yet; else the first command will say what is wrong.
  for (const name of names) {
    const match = /^shell-(.+)-(\d+)-[^-]+$/.exec(name);
    if (match?.[1] === hostPart() && !isAlive(Number(match[2]))) await removeDirectory(join(tmpDir, name));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** What cannot be removed now (a command may have taken the right away) is left to a later process. */
export const removeDirectory = (path: string): Promise<void> =>
  rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
