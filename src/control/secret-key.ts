// The key under which secrets are kept: a file in the data directory that only its owner may read. Whoever
// has a copy of the database alone has no secrets.
import { randomBytes } from "node:crypto";
import { link, open, readFile, rm } from "node:fs/promises";
import { GodwitError } from "../core/error.ts";
import { keyBytes } from "./secret-box.ts";

export interface SecretKey {
  /** Made at the first secret. */
  make(): Promise<Uint8Array>;
  /** Null if there is none. */
  read(): Promise<Uint8Array | null>;
}

export const keyFile = (path: string): SecretKey => {
  const read = async (): Promise<Uint8Array | null> => {
    const text = await textOf(path);
    if (text === null) return null;
    const key = Buffer.from(text.trim(), "hex");
    if (key.length === keyBytes) return key;
    throw new GodwitError(
      "data_loss",
      `The file ${path} is no key for secrets. Restore it from a backup; without it, secrets have to be set anew: then remove it first.`,
    );
  };
  return {
    read,
    make: async () => {
      const there = await read();
      if (there !== null) return there;
      await writeNew(path, `${randomBytes(keyBytes).toString("hex")}\n`);
      // Another process may have been faster: its key it is.
      return (await read()) as Uint8Array;
    },
  };
};

/** For a store in memory, which ends with its process. */
export function memoryKey(): SecretKey {
  const key = randomBytes(keyBytes);
  return { make: async () => key, read: async () => key };
}

async function textOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new GodwitError(
      "permission_denied",
      `The key for secrets, ${path}, cannot be read: ${(cause as Error).message}. It belongs to whoever ran godwit first.`,
      { cause },
    );
  }
}

/** Whole or not at all; if it is there already, it stays. */
async function writeNew(path: string, text: string): Promise<void> {
  const scratch = `${path}-${randomBytes(8).toString("hex")}`;
  try {
    const file = await open(scratch, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(scratch, path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return;
    throw new GodwitError(
      "permission_denied",
      `The key for secrets, ${path}, cannot be written: ${(cause as Error).message}. Check the disk and who may write there.`,
      { cause },
    );
  } finally {
    await rm(scratch, { force: true });
  }
}
