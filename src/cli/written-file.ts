// Files that a person asked for: theirs to change, whatever lay at the path before.
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, copyFile, lstat, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { translated } from "../blob/storage-error.ts";
import { GodwitError } from "../core/error.ts";

export type Content =
  | { readonly type: "file"; readonly path: string }
  | { readonly type: "text"; readonly text: string };

/** Blobs are read-only; a copy of one is not. Rejects in the user's words. */
export async function writeTo(path: string, content: Content): Promise<void> {
  await translated(path, async () => {
    await mkdir(dirname(path), { recursive: true });
    const before = await lstat(path).catch(() => null);
    if (before?.isDirectory() === true)
      throw new GodwitError(
        "invalid_argument",
        `${path} is a directory. Name a file in it, or end the path with a slash.`,
      );
    // A link or a device is written through; a file is replaced, since it may be read-only.
    if (before !== null && !before.isFile()) return pour(path, content);
    await rm(path, { force: true });
    if (content.type === "text") await writeFile(path, content.text);
    else await copyFile(content.path, path);
    await chmod(path, 0o644);
  });
}

const pour = (path: string, content: Content): Promise<void> =>
  content.type === "text"
    ? writeFile(path, content.text)
    : pipeline(createReadStream(content.path), createWriteStream(path));
