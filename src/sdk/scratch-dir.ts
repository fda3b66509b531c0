// Where content gets a path that has none: named after the file, so that programs that go by the
// extension take it. In the system's directory for temporary files, and gone when the process ends; what a
// killed process leaves goes when the next engine starts.
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { scratchPrefix } from "../core/scratch-name.ts";

let root: string | null = null;
let count = 0;

/** A new empty directory of this process. */
export async function scratchDir(): Promise<string> {
  if (root === null) {
    const made = mkdtempSync(join(tmpdir(), scratchPrefix("godwit-files", hostname(), process.pid)));
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
    root = made;
  }
  const dir = join(root, String(count++));
  await mkdir(dir);
  return dir;
}
