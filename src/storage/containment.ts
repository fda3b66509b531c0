// Whether a path that a client names lies in the storage, links and all.
//
// R1  What comes back lies below the root when every link on the way is followed; else the path is
//     refused, whether it exists or not.
import { realpath } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { translated } from "../blob/storage-error.ts";
import { GodwitError } from "../core/error.ts";

/** R1. A plain absolute path, or one that begins with `file://`; `root` has no links in it. */
export async function contained(root: string, uri: string): Promise<string> {
  const plain = plainPath(uri);
  const path = plain === null ? null : resolve(plain);
  if (path === null || !isBelow(root, path)) throw outside(uri);
  const real = await realOf(path);
  if (!isBelow(root, real)) throw outside(uri);
  return real;
}

/** Null: it is no path of this machine. Percent signs mean themselves: Flyte's SDK does not decode them either. */
export function plainPath(uri: string): string | null {
  const path = uri.startsWith("file://") ? uri.slice("file://".length) : uri;
  return isAbsolute(path) && !path.includes("\0") ? path : null;
}

export const isBelow = (root: string, path: string): boolean => path.startsWith(root + sep);

/** With links followed as far as it exists. */
async function realOf(path: string): Promise<string> {
  for (let existing = path; ; existing = dirname(existing)) {
    const real = await translated(path, () => realpath(existing).catch(ifMissing));
    if (real !== null) return join(real, relative(existing, path));
    if (existing === dirname(existing)) return path;
  }
}

function ifMissing(error: unknown): null {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") return null;
  throw error;
}

function outside(uri: string): GodwitError {
  const shown = JSON.stringify(uri.length > 200 ? `${uri.slice(0, 200)}…` : uri);
  return new GodwitError(
    "invalid_argument",
    `${shown} is not in this server's storage. Upload the file, and pass the URI that the upload was answered with.`,
  );
}
