// The secret of a data directory, from which tokens and links are signed. Whoever reads it can make both: it is
// for its owner's eyes only, and leaves the directory in no answer, log or backup of the database.
import { createHmac, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError } from "../core/error.ts";

const keyBytes = 32;

export type Signer = {
  /** For one purpose only: what was signed for another does not hold for this one. */
  sign(text: string): string;
  /** In a time that does not tell how much of it was right. */
  holds(text: string, signature: string): boolean;
};

/** Of several processes that make the first one at once, one wins, and all read it. */
export async function readSigningKey(dataDir: string): Promise<Buffer> {
  const directory = join(dataDir, "keys");
  const file = join(directory, "signing.key");
  for (let tries = 0; tries < 3; tries++) {
    const key = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw unusable(file, error);
    });
    if (key?.length === keyBytes) return key;
    if (key !== null) throw unusable(file, new Error(`it has ${key.length} bytes instead of ${keyBytes}`));
    await makeKey(directory, file);
  }
  throw unusable(file, new Error("it cannot be made"));
}

/** Whole or not at all: it is linked to its name when it is complete. */
async function makeKey(directory: string, file: string): Promise<void> {
  const temporary = join(directory, randomUUID());
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(temporary, randomBytes(keyBytes), { mode: 0o600, flag: "wx", flush: true });
    await link(temporary, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  } catch (error) {
    throw unusable(file, error as Error);
  } finally {
    await rm(temporary, { force: true });
  }
}

const unusable = (file: string, cause: Error): GodwitError =>
  new GodwitError(
    "failed_precondition",
    `The key ${file} cannot be used: ${cause.message}. Restore it, or remove it: a new one is made then, and links and tokens of the old one no longer hold.`,
    { cause },
  );

export function signerFor(key: Buffer, purpose: string): Signer {
  const own = createHmac("sha256", key).update(`godwit ${purpose}`).digest();
  const digest = (text: string): Buffer => createHmac("sha256", own).update(text).digest();
  return {
    sign: (text) => digest(text).toString("base64url"),
    holds: (text, signature) => {
      const given = Buffer.from(signature, "base64url");
      const expected = digest(text);
      return given.length === expected.length && timingSafeEqual(given, expected);
    },
  };
}
