// Where content gets a path that has none: named after the file, so that programs that go by the
// extension take it. Gone when the process ends; what a killed process leaves lies in the system's
// directory for temporary files.
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

let root: string | null = null;
let count = 0;

/** A new empty directory of this process. */
export async function scratchDir(): Promise<string> {
  if (root === null) {
    const made = mkdtempSync(join(tmpdir(), "godwit-files-"));
    process.once("exit", () => rmSync(made, { recursive: true, force: true }));
    root = made;
  }
  const dir = join(root, String(count++));
  await mkdir(dir);
  return dir;
}
