// The files of stored blobs, for tests that damage them.
import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Of the project's data directory, by absolute path. */
export const blobFiles = (projectDir: string, dataDir = ".godwit"): readonly string[] =>
  readdirSync(join(projectDir, dataDir, "blobs"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
