// Reading a database where nothing can be written: what was acknowledged stays readable on a disk that
// has been mounted read-only. SQLite by itself needs to write beside a file in WAL mode even to read it.
import { accessSync, constants, copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

export type ReadOnlySource = {
  /** What to open, read-only. */
  readonly location: string | URL;
  dispose(): void;
};

/** Null if the file's directory can be written to, or there is no file. */
export function readOnlySource(path: string): ReadOnlySource | null {
  if (!existsSync(path) || !isOnReadOnlyDisk(dirname(path))) return null;
  if ((statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return copied(path);
  const location = pathToFileURL(path);
  // Nobody can change it: SQLite needs no locks, and no files beside it.
  location.searchParams.set("immutable", "1");
  return { location, dispose: () => {} };
}

function isOnReadOnlyDisk(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EROFS";
  }
}

/** The log has to be applied, which takes a place to write. */
function copied(path: string): ReadOnlySource {
  const directory = mkdtempSync(join(tmpdir(), "godwit-read-only-"));
  const location = join(directory, basename(path));
  for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, location + suffix);
  return { location, dispose: () => rmSync(directory, { recursive: true, force: true }) };
}
